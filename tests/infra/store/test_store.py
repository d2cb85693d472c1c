import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import ArtifactError, StoreError
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.contents import content_digest, measure_files
from infra.store.record import FileRecord, Record
from tasks.formats.kinds import DatasetRef


def record_of(folder: Path, key: str = "k" * 64, finished: str = "2026-01-01") -> Record:
    files = measure_files(folder)
    return Record(
        stage="spell", version=1, key=key, kind="DatasetRef", digest=content_digest(files), config={"a": 1},
        inputs={}, files=files, metrics={"m": 1.0}, seed=None,
        started=finished, finished=finished, seconds=1.0, mlflow_run_id=None,
        code_revision=None, libraries={}, hardware={},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(home=tmp_path / "home"))


def write(store: Store, key: str = "k" * 64, text: str = "hello") -> Record:
    with store.writing("spell", key) as (output, _):
        (output / "sub").mkdir()
        (output / "sub" / "a.txt").write_text(text)
        record = record_of(output, key)
        store.commit(record)
    return record


def test_what_was_written_is_found(store: Store) -> None:
    written = write(store)
    assert store.find("spell", "k" * 64).record == written


def test_nothing_is_not_damage(store: Store) -> None:
    lookup = store.find("spell", "k" * 64)
    assert (lookup.record, lookup.problem) == (None, None)


def test_a_folder_without_a_record_does_not_exist(store: Store) -> None:
    write(store)
    (store.folder("spell", "k" * 64) / "record.json").unlink()
    lookup = store.find("spell", "k" * 64)
    assert lookup.record is None
    assert "has no record.json" in str(lookup.problem)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_text("hellO"), "does not have the bytes"),
        (lambda path: path.write_text("longer than before"), "its record says 5"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_damage_is_found_and_named(store: Store, damage: object, said: str) -> None:
    write(store)
    damage(store.folder("spell", "k" * 64) / "sub" / "a.txt")  # type: ignore[operator]
    lookup = store.find("spell", "k" * 64)
    assert lookup.record is None
    assert said in str(lookup.problem)


def test_a_touched_file_with_its_old_bytes_is_still_a_hit(store: Store) -> None:
    write(store)
    os.utime(store.folder("spell", "k" * 64) / "sub" / "a.txt", (1, 1))
    assert store.find("spell", "k" * 64).record is not None


def test_a_garbled_record_is_said(store: Store) -> None:
    write(store)
    (store.folder("spell", "k" * 64) / "record.json").write_text('{"stage": "sp')
    assert "is not a record of this version" in str(store.find("spell", "k" * 64).problem)


def test_an_error_while_writing_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.writing("spell", "k" * 64) as (output, _):
        (output / "half").write_text("half")
        raise RuntimeError
    assert not store.folder("spell", "k" * 64).exists()
    assert not store.work_dir("k" * 64).exists()


def test_an_error_while_writing_keeps_the_checkpoint(store: Store) -> None:
    with pytest.raises(RuntimeError), store.writing("spell", "k" * 64) as (_, work):
        (work / "checkpoint").write_text("kept")
        raise RuntimeError
    assert (store.work_dir("k" * 64) / "checkpoint").read_text() == "kept"


def test_the_digest_does_not_depend_on_the_place(store: Store) -> None:
    assert write(store, "a" * 64).digest == write(store, "b" * 64).digest
    assert write(store, "c" * 64, "other").digest != write(store, "d" * 64).digest


def test_records_come_newest_first(store: Store) -> None:
    for key, day in (("a" * 64, "2026-01-01"), ("b" * 64, "2026-01-03"), ("c" * 64, "2026-01-02")):
        with store.writing("spell", key) as (output, _):
            (output / "x").write_text(key)
            store.commit(record_of(output, key, day))
    assert [record.key[0] for record in store.records("spell")] == ["b", "c", "a"]


def test_a_missing_artifact_is_named(store: Store) -> None:
    with pytest.raises(ArtifactError, match="artifact:spell/0 is not there"):
        store.path(DatasetRef(uri="artifact:spell/0", digest="d"))


def test_a_path_with_blanks_survives_its_uri(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "a b%c"
    folder.mkdir()
    assert store.path(DatasetRef(uri=folder.as_uri(), digest="d")) == folder


def test_a_lock_dies_with_its_holder(store: Store, tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from infra.settings import Settings; from infra.store.artifacts import Store\n"
        f"with Store(Settings(home=Path({str(store.settings.home)!r}))).lock('k' * 64):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waited: list[float] = []

    def waiting() -> None:
        waited.append(time.monotonic())
        holder.kill()

    with store.lock("k" * 64, waiting):
        assert len(waited) == 1
    holder.wait()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here: needs root")
    try:
        store = Store(Settings(home=small / "home"))
        with (
            pytest.raises(StoreError, match="the disk is full"),
            store.writing("spell", "k" * 64) as (output, _),
        ):
            (output / "big").write_bytes(b"x" * 1_000_000)
        assert not store.folder("spell", "k" * 64).exists()
        write(store)
        assert store.find("spell", "k" * 64).record is not None
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_home_is_said(tmp_path: Path) -> None:
    from infra.machine.environment import open_home

    locked = tmp_path / "locked"
    locked.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(locked)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a read-only file system cannot be mounted here: needs root")
    try:
        with pytest.raises(StoreError, match="read-only file system; set STILLHOUSE_HOME"):
            open_home(Settings(home=locked / "home"))
    finally:
        subprocess.run(["umount", str(locked)], check=True)


def test_a_file_record_is_what_the_manifest_needs() -> None:
    assert set(FileRecord.model_fields) == {"sha256", "size", "mtime_ns"}


def test_a_home_that_cannot_be_written_is_still_read(tmp_path: Path) -> None:
    """A copied home, read only: its files are hashed at each look, and nothing is noted."""
    home = tmp_path / "home"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(home)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a read-only file system cannot be mounted here: needs root")
    try:
        store = Store(Settings(home=home))
        write(store)
        os.utime(store.folder("spell", "k" * 64) / "sub" / "a.txt", (1, 1))
        noted = (store.folder("spell", "k" * 64) / "record.json").read_bytes()
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        record = store.find("spell", "k" * 64).record
        assert record is not None
        store.use(record)
        assert (store.folder("spell", "k" * 64) / "record.json").read_bytes() == noted
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_record_of_a_home_of_97dc1e6_is_of_schema_0(tmp_path: Path) -> None:
    old = Path(__file__).parents[2] / "faults" / "home_of_97dc1e6"
    shutil.copytree(old, tmp_path / "home")
    records = list(Store(Settings(home=tmp_path / "home")).records())
    assert [(record.stage, record.schema_number) for record in records] == [("repeat", 0), ("spell", 0)]
