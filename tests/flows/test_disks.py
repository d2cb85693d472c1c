"""A disk that is full or read-only: exit code 2, one message with the remedy, the store as it was, and then it goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import Unbroken
from tests.flows.running import run
from tests.flows.test_bad_input import MESSAGE, USAGE_ERROR, store_of

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", folder):
        pytest.skip("only root may mount a disk: expected root and CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mount(*arguments: object) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


def fill(disk: Path, free: int) -> Path:
    """A file that leaves `free` bytes."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        size = shutil.disk_usage(disk).free - free
        os.posix_fallocate(file.fileno(), 0, size)
    return filler


@pytest.mark.parametrize(("missing", "free"), [
    pytest.param("artifacts/curate", 0, id="curate", marks=pytest.mark.whole_runs),
    pytest.param("artifacts/train_teacher", 80_000, id="checkpoint"),
    pytest.param("hub/models", 80_000, id="push", marks=pytest.mark.whole_runs),
    pytest.param("reports", 80_000, id="report", marks=pytest.mark.whole_runs),
])  # fmt: skip
def test_a_full_disk_is_one_message_and_a_run_after_it_goes_on(
    unbroken: Unbroken, disk: Path, tmp_path: Path, missing: str, free: int
) -> None:
    home = Path(shutil.copytree(unbroken.home, disk / "home", symlinks=True))
    shutil.rmtree(home / missing)
    before, filler = store_of(home), fill(disk, free)
    code, printed = run(home, unbroken.tiny.arguments(), log=tmp_path)
    assert code == USAGE_ERROR, printed
    assert len(MESSAGE.findall(printed)) == 1, printed
    assert "No space left" in printed or "the disk is full" in printed
    assert "Traceback" not in printed
    after = store_of(home)
    assert {path: after.get(path) for path in before} == before

    filler.unlink()
    code, printed = run(home, unbroken.tiny.arguments(), log=tmp_path)
    assert code == 0, printed


def test_a_read_only_home_is_one_message(unbroken: Unbroken, disk: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(unbroken.home, disk / "home", symlinks=True))
    assert mount("-o", "remount,ro", disk)
    code, printed = run(home, unbroken.tiny.arguments(), log=tmp_path)
    assert code == USAGE_ERROR, printed
    assert printed.splitlines() == [
        f"StoreError: {home} cannot be written: it is on a read-only file system; set STILLHOUSE_HOME to a folder that "
        "can be written."]  # fmt: skip
