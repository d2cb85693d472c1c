"""What the review looked for and did not find: secrets in what a home keeps and what commands say."""

from pathlib import Path

import pytest

from tests.security.canaries import AWAY, Said

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs, pytest.mark.timeout(1800)]
FLOW = "tests.faults.tiny_flow"


def test_no_secret_is_left_behind_or_said_by_runs_status_and_doctor(tmp_path: Path) -> None:
    said = Said(tmp_path / "home", tmp_path / "said")
    assert said.run("success", FLOW) == 0
    assert said.run("refusal of what was asked", FLOW, "--times", "often") == 2
    assert said.run("refusal of Prefect's database", FLOW, "--word", "two", **AWAY) == 2
    assert said.run("status", "stillhouse", "status") == 0
    assert said.run("doctor", "stillhouse", "doctor", **AWAY) in (0, 1)
    assert (said.home / "mlflow" / "mlflow.db").is_file()
    assert (said.home / "prefect" / "prefect.db").is_file()
    assert said.leaks() == []
