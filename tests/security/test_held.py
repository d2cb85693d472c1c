"""What a security review tried, and what held then: it goes on holding. (The faults that it found are the other files'.)"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.cli.command import main
from infra.machine.processes import Child
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.contents import content_digest
from infra.store.record import FileRecord, Record
from infra.store.shared.layout import content_folder, record_name
from infra.store.shared.sharing import open_remote
from tests.faults.processes import LONG_AGO, process, write_services
from tests.infra.artifacts import folder, make_artifact
from tests.infra.chain import COMPUTED, ChainConfig, chain

CONTENT = "of the first machine"


class Code:
    """A value that runs something when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


def poison(key: str, marker: Path) -> bytes:
    """A result of Prefect's that names the serialiser which runs it."""
    from prefect.results import ResultRecord, ResultRecordMetadata
    from prefect.serializers import PickleSerializer

    metadata = ResultRecordMetadata(serializer=PickleSerializer(), storage_key=key)
    return bytes(ResultRecord(result=Code(marker), metadata=metadata).serialize())


@pytest.mark.usefixtures("prefect_server")
def test_a_run_reads_no_result_of_prefects_and_writes_no_pickle_there(
    tracked_home: Path, tmp_path: Path
) -> None:
    from prefect.results import ResultRecord
    from prefect.settings import get_current_settings

    storage, marker = get_current_settings().results.local_storage_path, tmp_path / "marker"
    ResultRecord.deserialize(poison("proof", marker))
    assert marker.is_file()  # It is what it is meant to be.
    marker.unlink()

    chain(ChainConfig(word="poisoned"))
    keys = [record.key for record in Store(Settings(home=tracked_home)).records()]
    names = [storage / name for key in keys for name in (key, key[:KEY_LENGTH])]
    planted = {path: poison(path.name, marker) for path in (*storage.rglob("*"), *names) if not path.is_dir()}
    for path, data in planted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    COMPUTED.clear()
    cached = chain(ChainConfig(word="poisoned"), return_state=True)
    with pytest.raises(ValueError, match="the stage failed"):
        chain(ChainConfig(word="fails", fail_in="repeat"))
    assert cached.is_completed() and COMPUTED == ["spell", "repeat"]  # those of the run that failed
    assert not marker.exists()
    left = {path: path.read_bytes() for path in storage.rglob("*") if path.is_file()}
    assert planted.items() <= left.items()
    # Prefect writes down why a task failed, and never reads it: as JSON, which runs nothing.
    assert all(json.loads(left[path]) for path in left.keys() - planted.keys())


def test_a_foreign_process_with_the_number_of_up_is_not_called_running(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with process() as stranger:
        write_services(Settings(home=home), Child(pid=stranger.pid, started=LONG_AGO))
        assert main(["status"]) == 0
        assert capsys.readouterr().out.startswith("Not running")
        assert main(["down"]) == 0
        assert "Nothing was running" in capsys.readouterr().out
        assert stranger.poll() is None


Change = Callable[[dict[str, object]], object]


def _named(name: str) -> Change:
    """Let the record's one file have another name, and its digest fit."""

    def change(told: dict[str, object]) -> None:
        record = Record.model_validate(told)
        files = {name: next(iter(record.files.values()))}
        told |= {"files": json.loads(record.model_copy(update={"files": files}).model_dump_json())["files"]}
        told["digest"] = content_digest(files)

    return change


def _huge(told: dict[str, object]) -> None:
    record = Record.model_validate(told)
    files = {"rows": FileRecord(sha256="0" * 64, size=10**15, mtime_ns=0)}
    told |= {"files": json.loads(record.model_copy(update={"files": files}).model_dump_json())["files"]}
    told["digest"] = content_digest(files)


REFUSED: dict[str, Change] = {
    "a way out": _named("../../../../outside"),
    "a way out, through a folder": _named("rows/../../../../outside"),
    "an absolute name": _named("/tmp/outside-of-the-home"),
    "the record itself": _named("record.json"),
    "no name": _named(""),
    "another digest": lambda told: told.update(digest="0" * 64),
    "another key": lambda told: told.update(key="0" * 64),
    "another stage": lambda told: told.update(stage="train"),
    "a stage that is a way out": lambda told: told.update(stage="../../train"),
    "no files": lambda told: told.update(files={}),
    "files of another kind": lambda told: told.update(files=["rows"]),
    "a newer schema": lambda told: told.update(schema=1_000),
    "more bytes than there are": _huge,
}


def everything(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def shared(place: Path, name: str) -> Settings:
    return Settings(home=place / name, store=(place / "store").as_uri(), _env_file=None)


@pytest.mark.parametrize("hostile", REFUSED)
def test_a_hostile_record_of_a_shared_store_is_refused_and_writes_nothing_outside(
    hostile: str, tmp_path: Path
) -> None:
    first, second = (Store(shared(tmp_path, name)) for name in ("first", "second"))
    record = make_artifact(first, "curate", {"rows": CONTENT})
    open_remote(first.settings, first).push(record)
    place = tmp_path / "store" / record_name(record.stage, record.key)
    told = json.loads(place.read_text())
    REFUSED[hostile](told)
    place.write_text(json.dumps(told))
    before = everything(tmp_path)

    found = open_remote(second.settings, second).fetch(record.stage, record.key)
    assert found.record is None and found.problem
    assert everything(tmp_path).keys() <= before.keys()
    assert not Path("/tmp/outside-of-the-home").exists()


def test_changed_bytes_and_a_link_to_others_are_refused(tmp_path: Path) -> None:
    first, second = (Store(shared(tmp_path, name)) for name in ("first", "second"))
    record = make_artifact(first, "curate", {"rows": CONTENT, "more": "of it"})
    open_remote(first.settings, first).push(record)
    content = tmp_path / "store" / content_folder(record)
    (tmp_path / "secret").write_text("x" * len(CONTENT))
    (content / "rows").unlink()
    (content / "rows").symlink_to(tmp_path / "secret")
    found = open_remote(second.settings, second).fetch(record.stage, record.key)
    assert found.record is None and "does not have the bytes" in str(found.problem)
    assert second.find(record.stage, record.key).record is None
    assert (tmp_path / "secret").read_text() == "x" * len(CONTENT)
    assert not (folder(second, record) / "rows").exists()
