"""A home that is copied, restored, or mounted under another host name is free of the servers and runs of the original."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli.doctor import check_dead_runs, check_services
from infra.engine.abandoned import dead_runs, end_dead_runs, live_runs
from infra.machine.environment import running_services
from infra.machine.processes import Child
from infra.machine.services import end_orphans
from infra.settings import Settings
from infra.tracking.tracker import Tracker
from tests.faults.processes import PROGRAM, alive, cli, process, write_marker, write_services

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Settings]:
    """A home that was copied while `up` ran in the original: two processes stand for `up` and a server of it."""
    original, copy = Settings(home=tmp_path / "original"), Settings(home=tmp_path / "copy")
    with process() as up, process() as server:
        write_services(original, Child.of(up.pid), (Child.of(server.pid),))
        shutil.copytree(original.home, copy.home)
        yield copy


def test_flows_of_a_copied_home_do_not_record_into_the_original(copied: Settings) -> None:
    assert running_services(copied) is None
    assert Tracker(copied, "stillhouse/test").uri == f"sqlite:///{copied.mlflow_database}"


def test_down_in_a_copied_home_ends_nothing_of_the_original(copied: Settings) -> None:
    original = Settings(home=copied.home.with_name("original"))
    assert "Nothing was running" in cli(copied.home, "down").stdout
    assert not copied.services_file.exists()
    assert running_services(original) is not None
    told = json.loads(original.services_file.read_text())
    assert [alive(child["pid"]) for child in told["children"]] == [True]


def test_servers_of_the_original_are_no_orphans_of_its_copy(tmp_path: Path) -> None:
    original, copy = Settings(home=tmp_path / "original"), Settings(home=tmp_path / "copy")
    original.home.mkdir()
    with process() as ended, process() as server:
        up = Child.of(ended.pid)
        ended.kill()
        ended.wait()
        write_services(copy, up, (Child.of(server.pid),), home=original.home)
        assert end_orphans(copy) == 0
        assert server.poll() is None


def test_status_and_doctor_say_whose_services_file_it_is(copied: Settings) -> None:
    original = str(copied.home.with_name("original"))
    assert original in cli(copied.home, "status").stdout
    told = {check.name: check for check in check_services(copied)}
    assert original in told["services.json"].found
    assert "stillhouse down" in told["services.json"].remedy


def test_a_killed_run_of_another_host_name_blocks_nothing(prefect_server: None, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_marker(settings, host="a-container-that-is-gone")
    assert live_runs(settings) == []
    assert len(dead_runs(settings)) == 1
    assert "1 shown as running: toy" in check_dead_runs(settings).found
    assert end_dead_runs(settings) == 1
    assert list(settings.runs.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a container's process numbers are made by unshare")
def test_a_run_in_another_container_lives_until_it_is_killed(tracked_home: Path) -> None:
    settings = Settings(home=tracked_home)
    with process([*CONTAINER, sys.executable, "-c", PROGRAM], tracked_home) as container:
        assert container.stdout is not None
        container.stdout.readline()
        assert [run.flow for run in live_runs(settings)] == ["toy"]
        assert dead_runs(settings) == []
        container.send_signal(signal.SIGKILL)
        container.wait()
        container.stdout.read()  # until all that were in it are gone
    assert live_runs(settings) == []
    assert [run.flow for run in dead_runs(settings)] == ["toy"]


def test_a_run_under_way_is_no_run_of_a_copied_home(tracked_home: Path, tmp_path: Path) -> None:
    copy = Settings(home=tmp_path / "copy")
    with process([sys.executable, "-c", PROGRAM], tracked_home) as program:
        assert program.stdout is not None
        program.stdout.readline()
        shutil.copytree(tracked_home, copy.home)
        assert live_runs(copy) == []
        assert dead_runs(copy) == []  # Its process lives: nothing to mark, nothing to end.
