"""A process is known by its number and its start time: numbers are given again, after a reboot at once."""

import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from infra.engine.abandoned import end_dead_runs
from infra.machine.environment import running_services
from infra.machine.processes import Child
from infra.machine.services import stop_services
from infra.settings import Settings
from infra.tracking.tracker import Tracker
from tests.faults.processes import (
    LONG_AGO,
    PROGRAM,
    alive,
    cli,
    process,
    python,
    write_marker,
    write_older_services,
    write_services,
)
from tests.infra.ports import free_ports

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

WHERE_FLOWS_GO = (
    "import os, infra.machine.environment as e; e.prepare(); print(os.environ.get('PREFECT_API_URL'))"
)
OTHER_USER = 12_345


@pytest.fixture(params=["this version", "an older version"])
def stale(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A home whose `services.json` names a number that is this process's by now."""
    settings = Settings(home=tmp_path / "home")
    if request.param == "this version":
        write_services(settings, Child(pid=os.getpid(), started=LONG_AGO))
    else:
        write_older_services(settings, os.getpid(), written=LONG_AGO)
    return settings


def test_a_stale_services_file_breaks_no_flow(stale: Settings) -> None:
    assert running_services(stale) is None
    assert Tracker(stale, "stillhouse/test").uri.startswith("sqlite:")
    assert python(stale.home, WHERE_FLOWS_GO).stdout.strip() == "None"


def test_up_is_not_refused_for_a_stale_services_file(stale: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = cli(
            stale.home, "up", STILLHOUSE_PREFECT_PORT=port, STILLHOUSE_MLFLOW_PORT=str(free_ports(1)[0]),
            STILLHOUSE_REPORTS_PORT=str(free_ports(1)[0]),
        )  # fmt: skip
    assert f"port {port}" in done.stderr
    assert "run already" not in done.stderr


@pytest.mark.parametrize("version", ["this", "older"])
def test_down_ends_no_stranger(version: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with process() as stranger:
        if version == "this":
            write_services(settings, Child(pid=stranger.pid, started=LONG_AGO))
        else:
            write_older_services(settings, stranger.pid, written=LONG_AGO)
        assert "Nothing was running" in cli(settings.home, "down").stdout
        assert stranger.poll() is None
    assert not settings.services_file.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a process of another user asks")
def test_down_by_another_user_is_one_message() -> None:
    asks = (
        "import os; from infra.machine.services import stop_services; from infra.settings import get_settings; "
        f"settings = get_settings(); os.setuid({OTHER_USER}); stop_services(settings)"
    )
    with tempfile.TemporaryDirectory() as folder, process() as up:
        Path(folder).chmod(0o755)
        write_services(Settings(home=Path(folder)), Child.of(up.pid))
        told = python(Path(folder), asks).stderr.splitlines()[-1]
        assert up.poll() is None
    assert "ServiceError" in told
    assert "belongs to root" in told


def test_what_a_killed_program_had_started_itself_survives(prefect_server: None, tracked_home: Path) -> None:
    with process([sys.executable, "-c", PROGRAM], tracked_home) as program:
        assert program.stdout is not None
        own = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
        program.wait()
    assert end_dead_runs(Settings(home=tracked_home)) == 1
    survived = alive(own)
    if survived:
        os.kill(own, signal.SIGKILL)
    assert survived


def test_what_an_older_version_listed_survives_too(prefect_server: None, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with process() as stranger:
        write_marker(settings, (Child.of(stranger.pid),), host=socket.gethostname())
        assert end_dead_runs(settings) == 1
        assert stranger.poll() is None


def test_a_recorded_server_that_is_silent_is_named_with_its_process(tmp_path: Path) -> None:
    asks = (
        "from infra.machine import environment; environment.prepare(); from infra.settings import get_settings; "
        "from infra.machine.prefect_server import temporary_server\n"
        "with temporary_server(get_settings(), lambda: None): pass"
    )
    (port,) = free_ports(1)
    write_services(Settings(home=tmp_path), Child.of(os.getpid()), url=f"http://127.0.0.1:{port}")
    told = python(tmp_path, asks).stderr
    assert f"http://127.0.0.1:{port}/api, where nothing answers" in told
    assert f"services.json says that process {os.getpid()}" in told
    assert "stillhouse down" in told


def test_down_does_not_wait_for_a_process_that_is_gone(tmp_path: Path) -> None:
    """An `up` that dies by the request itself takes no file along: what it leaves is cleared away at once."""
    settings = Settings(home=tmp_path)
    with process() as up, process() as child:
        write_services(settings, Child.of(up.pid), (Child.of(child.pid),))
        assert stop_services(settings)
        assert up.poll() is not None
        assert child.poll() is not None
    assert not settings.services_file.exists()
