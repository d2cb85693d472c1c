"""The environment of real machines: what others have set, and what containers leave out, is no stack trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.environments import ENVIRONMENTS, PATIENCE, ROOT, TRACE, Environment, run
from tests.typed import STILLHOUSE

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]  # a flow each, with servers of its own
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it runs as a user who is nobody here")


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    "environment",
    [pytest.param(one, id=one.name, marks=[needs_root] if one.as_nobody else []) for one in ENVIRONMENTS],
)
def test_an_odd_environment_is_one_message_with_the_remedy_or_simply_works(
    environment: Environment, tracked_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    outcome = run(environment, folder, tracked_home)
    printed = outcome.out + outcome.err
    assert TRACE not in printed, printed
    assert outcome.code == environment.expected, printed
    assert all(word in outcome.line(environment.said) for word in environment.said), printed


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/gone/ca.pem"), ("PREFECT_API_URL", "http://127.0.0.1:9/api")]
)
def test_doctor_faults_what_would_stop_a_flow(name: str, value: str, home: Path) -> None:
    done = subprocess.run(
        [STILLHOUSE, "doctor"],
        cwd=ROOT,
        env=os.environ | {name: value, "STILLHOUSE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1 and TRACE not in done.stderr
    faults = [line for line in done.stdout.splitlines() if line.startswith("fault") and name in line]
    assert len(faults) == 1
    assert f"unset {name}" in done.stdout


def test_the_first_server_of_a_home_makes_the_tables_alone(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    command = [sys.executable, "-m", "tests.faults.first_server"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["waits", "free"]
