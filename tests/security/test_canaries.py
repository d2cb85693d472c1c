"""What `env` prints is read into shells, logs of CI and screens: no secret of the user's own is in it."""

from pathlib import Path

import pytest

from tests.security.canaries import AWAY, Said

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("more", [{}, AWAY], ids=["here", "elsewhere"])
def test_env_prints_no_secret(tmp_path: Path, more: dict[str, str]) -> None:
    said = Said(tmp_path / "home", tmp_path / "said")
    assert said.run("env", "stillhouse", "env", **more) == 0
    assert "export PREFECT_HOME=" in (said.folder / "env").read_text()
    assert said.leaks() == []
