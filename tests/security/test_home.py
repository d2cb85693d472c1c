"""The home is its owner's alone: rows before anything in them is redacted lie there, and everything that a flow trusts."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.cli.doctor import examine
from infra.errors import ConfigError
from infra.machine.environment import open_home, prepare
from infra.machine.up_lock import only_up
from infra.settings import Settings, get_settings
from infra.store.artifacts import Store
from infra.tracking.left_open import LeftOpen
from tests.infra.artifacts import make_artifact
from tests.typed import STILLHOUSE

PROJECT = Path(__file__).parents[2]
prepare()  # For the whole session, as what a flow imports does: what the test does is then the folder alone.


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def start_up(settings: Settings) -> None:
    with only_up(settings):
        pass


def hold_key(settings: Settings) -> None:
    with Store(settings).lock("k" * 64):
        pass


MAKERS: dict[str, Callable[[Settings], object]] = {
    "a run": open_home,
    "an import of a stage": lambda _: prepare(),
    "up": start_up,
    "a lock": hold_key,
    "an artifact": lambda settings: make_artifact(Store(settings), "extract", {"rows": "not redacted"}),
    "a run that tracking missed": lambda settings: LeftOpen(settings, "").note("run", "FINISHED"),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_whoever_makes_a_home_makes_it_for_its_owner_alone(maker: str, home: Path) -> None:
    with umask(0o022):
        MAKERS[maker](get_settings())
    assert mode(home) == 0o700


def test_a_team_that_shares_a_home_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME_MODE", "0770")
    with umask(0o022):
        open_home(get_settings())
    assert mode(home) == 0o770


@pytest.mark.parametrize("given", ["0077", "0500", "0777", "rwx", "9", "", "00000700"])
def test_a_home_that_its_owner_could_not_use_or_anybody_could_write_is_refused(
    given: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME_MODE", given)
    with pytest.raises(ConfigError, match="STILLHOUSE_HOME_MODE"):
        open_home(get_settings())
    assert not home.exists()


@pytest.mark.slow
def test_a_command_makes_a_home_that_nobody_else_looks_into(tmp_path: Path) -> None:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    place = {"STILLHOUSE_HOME": str(tmp_path / "above" / "home")}
    with umask(0o022):
        subprocess.run(
            [STILLHOUSE, "env"],
            env=clean | place,
            cwd=PROJECT,
            check=True,
            capture_output=True,
        )
    assert mode(tmp_path / "above" / "home") == 0o700
    assert mode(tmp_path / "above") == 0o755  # What it lies in is the user's own business.


@pytest.mark.slow
def test_doctor_notes_a_home_that_others_can_look_into_and_leaves_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    settings.home.chmod(0o755)
    (noted,) = [check for check in examine(settings) if "permissions" in check.found]
    assert (noted.state, mode(settings.home)) == ("note", 0o755)
    assert f"chmod 0700 {settings.home}" in noted.remedy
