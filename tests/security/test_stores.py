"""What others wrote into a shared store or a home: taken whole and as it should be, or said to be damaged."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import HubError
from infra.hub.local import LocalHub
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.contents import content_digest
from infra.store.history import read_history
from infra.store.record import Record
from infra.store.shared.folder import FolderObjects
from infra.store.shared.layout import record_name
from infra.store.shared.remote_store import RemoteStore
from infra.store.shared.sharing import open_remote
from tests.infra.artifacts import folder, make_artifact

DEEP = b"[" * 100_000 + b"]" * 100_000
FILES = {"rows": "of the first machine"}
KEY = "a key of the team's, long enough"


class Machine:
    """A home with the shared store that others write to."""

    def __init__(self, place: Path, name: str, key: str | None = None) -> None:
        url = (place / "store").as_uri()
        # By name: a version that knows no signatures reads past it.
        given = {"home": place / name, "store": url, "_env_file": None, "store_signing_key": key}
        self.settings = Settings(**given)  # type: ignore[arg-type]
        self.store = Store(self.settings)
        self.remote: RemoteStore = open_remote(self.settings, self.store)

    def share(self) -> Record:
        record = make_artifact(self.store, "curate", FILES)
        self.remote.push(record)
        return record


def object_of(place: Path, record: Record) -> Path:
    """The record in the store."""
    return place / "store" / record_name(record.stage, record.key)


def naming(record: Record, *names: str) -> Record:
    """The record with files of other names, and a digest that fits."""
    (file,) = record.files.values()
    files = dict.fromkeys(names, file)
    return record.model_copy(update={"files": files, "digest": content_digest(files)})


def test_a_shared_record_nested_without_end_is_damaged_and_mended(tmp_path: Path) -> None:
    first = Machine(tmp_path, "first")
    record = first.share()
    object_of(tmp_path, record).write_bytes(b'{"stage": ' + DEEP + b"}")
    found = Machine(tmp_path, "second").remote.locate(record.stage, record.key)
    assert found.record is None and found.damaged and "is not JSON" in str(found.problem)
    first.remote.push(record)
    assert Machine(tmp_path, "third").remote.record(record.stage, record.key).record == record


@pytest.mark.parametrize(
    "names",
    [
        ("rows\0",),
        ("./elsewhere.txt",),
        ("record.json/",),
        ("record.json/rows",),
        ("a//b",),
        ("x" * 256,),
        ("a", "a/b"),
    ],
)
def test_a_record_whose_files_are_none_of_its_folder_is_damaged(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    record = Machine(tmp_path, "first").share()
    object_of(tmp_path, record).write_text(naming(record, *names).model_dump_json())
    second = Machine(tmp_path, "second")
    found = second.remote.fetch(record.stage, record.key)
    assert found.record is None and found.damaged and "not that of its files" in str(found.problem)
    assert not folder(second.store, record).exists()


def in_home(place: Path, change: Callable[[Record], Record]) -> tuple[Store, Record]:
    """A home whose record was changed by hand."""
    store = Store(Settings(home=place / "home", _env_file=None))
    record = make_artifact(store, "curate", FILES)
    (folder(store, record) / "record.json").write_text(change(record).model_dump_json())
    return store, record


def test_a_name_that_no_disk_takes_is_damage_in_a_home_too(tmp_path: Path) -> None:
    store, record = in_home(tmp_path, lambda record: naming(record, "rows\0"))
    assert "no file of" in str(store.find(record.stage, record.key).problem)


def test_a_record_in_a_home_vouches_for_no_file_outside_of_its_folder(tmp_path: Path) -> None:
    store, record = in_home(tmp_path, lambda record: naming(record, "../../../outside"))
    (tmp_path / "home" / "outside").write_text(FILES["rows"])
    assert store.find(record.stage, record.key).record is None


def test_a_record_in_a_home_that_is_another_stages_is_not_served(tmp_path: Path) -> None:
    store, record = in_home(tmp_path, lambda record: record.model_copy(update={"stage": "../../elsewhere"}))
    assert store.find(record.stage, record.key).record is None
    assert list(store.records()) == []


@pytest.mark.parametrize("line", [DEEP, b"[1]", b'{"step": 1, "loss": "none"}', b'{"loss": 1.0}'])
def test_step_metrics_that_came_with_a_record_may_be_anything(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 0.5}\n' + line + b"\n")
    assert read_history(tmp_path) == [("loss", 0.5, 1)]


@pytest.mark.parametrize("line", [DEEP, b"{", b'{"revision": 1}'])
def test_a_history_of_a_hub_that_is_none_is_one_message(line: bytes, tmp_path: Path) -> None:
    hub = LocalHub(tmp_path / "hub")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "rows").write_text("rows")
    hub.push("dataset", "team/rows", tmp_path / "files", "rows")
    (hub.home("dataset", "team/rows") / "history.jsonl").write_bytes(line + b"\n")
    with pytest.raises(HubError, match=r"line 1 of .*history\.jsonl is no push"):
        hub.revisions("dataset", "team/rows")


def test_with_a_key_what_nobody_signed_is_not_taken_and_said_so(tmp_path: Path) -> None:
    record = Machine(tmp_path, "stranger").share()
    member = Machine(tmp_path, "member", KEY)
    found = member.remote.fetch(record.stage, record.key)
    assert found.record is None
    assert "is not signed with STILLHOUSE_STORE_SIGNING_KEY" in str(found.problem)
    assert object_of(tmp_path, record).is_file()  # It serves those who have no key.


def test_with_a_key_what_another_key_signed_is_not_taken(tmp_path: Path) -> None:
    record = Machine(tmp_path, "first", "another key of other people").share()
    found = Machine(tmp_path, "second", KEY).remote.record(record.stage, record.key)
    assert found.record is None and "another signature" in str(found.problem)


@given(where=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255))
def test_any_changed_byte_of_a_signed_record_is_refused(
    tmp_path_factory: pytest.TempPathFactory, where: float, by: int
) -> None:
    place = tmp_path_factory.mktemp("law")
    member = Machine(place, "member", KEY)
    record = member.share()
    data = bytearray(object_of(place, record).read_bytes())
    data[int(where * len(data))] ^= by
    objects = FolderObjects(place / "store")
    objects.delete(record_name(record.stage, record.key))
    assert objects.create(record_name(record.stage, record.key), bytes(data))
    assert member.remote.record(record.stage, record.key).record is None
