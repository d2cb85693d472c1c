"""Each fault is found and comes with what to do about it."""

import json
import os
import sqlite3
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra.cli.doctor import (
    check_cpu,
    check_libraries,
    check_library,
    check_memory,
    check_python,
    check_services,
)
from infra.cli.home_checks import check_database, check_disk, check_home, check_privacy
from infra.machine.processes import LOOPBACK
from infra.settings import Settings
from tests.infra.ports import free_ports, taken_port

NO_PROCESS = 2**22 - 1


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "fault"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "fault")]
)
def test_python_is_held_to_the_supported_versions(version: tuple[int, int], state: str) -> None:
    assert check_python(version).state == state


def test_a_library_outside_its_range_is_a_fault_that_names_both_versions() -> None:
    check = check_library(Requirement("fastapi<0.1"))
    assert check is not None
    assert check.state == "fault"
    assert "<0.1" in check.found
    assert "422" in check.remedy
    assert "make install" in check.remedy


def test_a_missing_library_is_a_fault_and_an_extra_is_not_asked_for() -> None:
    missing = check_library(Requirement("no-such-library-anywhere"))
    assert missing is not None
    assert missing.found == "not installed"
    assert check_library(Requirement('no-such-library-anywhere; extra == "dev"')) is None
    assert check_library(Requirement("pytest>=1")) is None


def test_a_package_that_is_not_installed_is_a_note() -> None:
    (check,) = check_libraries("no-such-package-anywhere")
    assert check.state == "note"
    (fine,) = check_libraries("pytest")
    assert fine.state == "ok"


def test_a_cpu_without_the_extensions_is_a_note_with_what_it_costs() -> None:
    checks = {check.name: check for check in check_cpu(["sse2"])}
    assert checks["CPU int8"].state == "note"
    assert "1.6 times" in checks["CPU bf16"].remedy
    assert {check.state for check in check_cpu(["avx512_vnni", "amx_bf16"])} == {"ok"}


def test_too_little_memory_is_a_fault() -> None:
    assert check_memory(2**30).state == "fault"
    assert check_memory(2**36).state == "ok"


def test_a_home_that_cannot_be_one_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    check = check_home(tmp_path / "file" / "home")
    assert check.state == "fault"
    assert "STILLHOUSE_HOME" in check.remedy
    assert check_home(tmp_path / "not" / "made" / "yet").state == "ok"
    assert check_disk(tmp_path / "not" / "made" / "yet").found.endswith("GiB free")


@pytest.mark.parametrize(
    ("mode", "shared_as", "state"),
    [(0o700, 0o700, "ok"), (0o755, 0o700, "note"), (0o770, 0o770, "ok"), (0o775, 0o2770, "note")],
)
def test_a_home_that_others_can_look_into_is_a_note(
    mode: int, shared_as: int, state: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", home_mode=shared_as)
    assert check_privacy(settings).state == "ok"  # not made yet
    settings.home.mkdir()
    settings.home.chmod(mode)
    check = check_privacy(settings)
    assert check.state == state
    assert ("chmod" in check.remedy) == (state == "note")
    assert settings.home.stat().st_mode & 0o777 == mode  # It is said, and left to its owner.


def test_a_broken_database_is_a_fault_and_a_missing_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert check_database("MLflow", path).state == "ok"
    with sqlite3.connect(path) as connection:
        connection.execute("create table runs (id)")
    connection.close()
    assert check_database("MLflow", path).state == "ok"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    broken = check_database("MLflow", path)
    assert broken.state == "fault"
    assert "Move" in broken.remedy


def test_a_stale_file_and_a_taken_port_are_noted(tmp_path: Path) -> None:
    with taken_port() as port:
        settings = Settings(home=tmp_path, prefect_port=port)
        settings.services_file.write_text(
            json.dumps(
                {"pid": NO_PROCESS, "prefect_api_url": "http://x/api", "mlflow_tracking_uri": "http://x"}
            )
        )
        checks = {check.name: check for check in check_services(settings)}
    assert checks["services.json"].state == "note"
    assert "STILLHOUSE_PREFECT_PORT" in checks[f"port {port}"].remedy


def test_servers_that_do_not_answer_are_faults(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    port, reports = free_ports(2)
    url, settings = f"http://{LOOPBACK}:{port}", settings.model_copy(update={"reports_port": reports})
    settings.services_file.write_text(
        json.dumps({"pid": os.getpid(), "prefect_api_url": f"{url}/api", "mlflow_tracking_uri": url})
    )
    checks = list(check_services(settings))
    assert [check.state for check in checks] == ["fault", "fault", "fault"]
    assert "down" in checks[0].remedy
