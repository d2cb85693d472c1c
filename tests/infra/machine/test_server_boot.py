"""When a command begins Prefect's server at once, and when it waits for Prefect's settings to be read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.machine import server_boot
from infra.settings import Settings
from tests.conftest import ROOT

BEGIN = """
import json, sys
from infra.machine import environment
environment.prepare()
from infra.machine import server_boot
from infra.settings import get_settings
server_boot.begin_early(get_settings())
found = server_boot.take_early()
print(json.dumps([found is not None and found.process.poll() is None, "prefect" in sys.modules]))
"""


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose database Prefect has made."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    home = tmp_path / "home"
    made, says = server_boot._tables(Settings(home=home))
    made.parent.mkdir(parents=True)
    made.write_text(says)
    return home


def begun(home: Path, **environment: str) -> list[bool]:
    """Whether a server was begun, and whether Prefect was imported for it."""
    given = os.environ | {"STILLHOUSE_HOME": str(home)} | environment
    done = subprocess.run(
        [sys.executable, "-c", BEGIN], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )
    found: list[bool] = json.loads(done.stdout)
    return found


def test_it_begins_before_prefect_is_imported(used: Path) -> None:
    assert begun(used) == [True, False]


def test_the_first_server_of_a_home_is_not_begun_early(used: Path, tmp_path: Path) -> None:
    assert begun(tmp_path / "new") == [False, False]
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").rglob("prefect-*.log"))


@pytest.mark.parametrize(
    "environment",
    [{"PREFECT_API_URL": "http://127.0.0.1:1/api"}, {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}],
    ids=["another server", "none wanted"],
)
def test_none_is_begun_where_another_or_none_is_wanted(used: Path, environment: dict[str, str]) -> None:
    assert begun(used, **environment) == [False, False]


def test_none_is_begun_where_the_users_own_profiles_count(used: Path, tmp_path: Path) -> None:
    profiles = tmp_path / "user" / ".prefect" / "profiles.toml"
    profiles.parent.mkdir(parents=True)
    profiles.write_text('active = "team"\n[profiles.team]\nPREFECT_API_URL = "http://127.0.0.1:1/api"\n')
    assert begun(used) == [False, False]
