"""Two homes and one store: the same laws for a folder, S3 and Cloud Storage. Real clients, real servers."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import StoreError
from infra.store.artifacts import KEY_LENGTH
from infra.store.locks import KeysInUse
from infra.store.record import HISTORY_FILE, RECORD_FILE, Record
from tests.infra.store.shared.conftest import SharedPlace
from tests.infra.store.shared.machines import Machine

FILES = {"word.txt": "one", "sub/ünï code+%.txt": "two\r\nlines\r", "empty": ""}
PATTERN = "0123456789abcdef"


@pytest.fixture
def machines(place: SharedPlace, tmp_path: Path) -> tuple[Machine, Machine]:
    return Machine(tmp_path / "a", place.url), Machine(tmp_path / "b", place.url)


def content(record: Record) -> str:
    return f"artifacts/{record.stage}/{record.key[:KEY_LENGTH]}/{record.digest[:KEY_LENGTH]}"


def record_name(record: Record) -> str:
    return f"artifacts/{record.stage}/{record.key[:KEY_LENGTH]}/{RECORD_FILE}"


def damage(machine: Machine, name: str, data: bytes) -> None:
    objects = machine.remote().objects
    objects.delete(name)
    objects.create(name, data)


def test_what_one_machine_computed_is_a_verified_hit_on_another(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    found = b.find(record)
    assert found is not None
    assert found.digest == record.digest
    assert {name: b.read(record, name) for name in FILES} == {name: a.read(record, name) for name in FILES}
    assert b.store.find(record.stage, record.key).record == found
    assert "fetched" in b.said


def test_a_fetched_artifact_is_verified_by_time_and_size_alone(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    found = b.find(record)
    assert found is not None
    path = b.store.folder(record.stage, record.key) / "word.txt"
    assert found.files["word.txt"].mtime_ns == path.stat().st_mtime_ns
    assert found.key == record.key


def test_nothing_there_is_a_plain_miss(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    found = a.sharing().find("spell", "k" * 64)
    assert (found.record, found.problem) == (None, None)
    assert a.lines == []


def test_metric_history_travels_with_its_artifact(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    (a.store.folder(record.stage, record.key) / HISTORY_FILE).write_text('{"step": 0, "loss": 1.0}\n')
    a.sharing().share(record)
    b.find(record)
    assert b.read(record, HISTORY_FILE) == '{"step": 0, "loss": 1.0}\n'


def test_a_large_file_goes_in_parts_and_comes_back_the_same(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make({"model.bin": PATTERN * 800_000})  # 12.8 MB in parts of 5 MiB
    sent = a.remote().push(record)
    assert sent.sent == sent.size == 12_800_000
    assert set(a.remote().objects.sizes(content(record))) == {"model.bin"}
    found = b.find(record)
    assert found is not None
    assert found.files["model.bin"].sha256 == record.files["model.bin"].sha256


def test_what_is_there_is_not_sent_again(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    record = a.make(FILES)
    assert a.remote().push(record).sent == sum(file.size for file in record.files.values())
    assert a.remote().push(record).sent == 0


def test_without_its_record_an_artifact_is_not_visible(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    a.remote().objects.delete(record_name(record))
    assert b.find(record) is None
    assert not b.store.folder(record.stage, record.key).exists()


def test_a_changed_byte_is_found_said_and_mended(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    damage(a, f"{content(record)}/word.txt", b"onX")
    lookup = b.sharing().find(record.stage, record.key)
    assert lookup.record is None
    assert "word.txt does not have the bytes of its record" in str(lookup.problem)
    assert b.store.find(record.stage, record.key).record is None
    again = b.make(FILES)
    b.sharing().share(again)
    third = Machine(b.home.parent / "c", b.url)
    assert third.find(record) is not None
    assert third.read(record, "word.txt") == "one"


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe"])
def test_a_record_that_is_none_is_mended_by_the_next_push(
    machines: tuple[Machine, Machine], data: bytes
) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    damage(a, record_name(record), data)
    lookup = b.sharing().find(record.stage, record.key)
    assert "is not JSON" in str(lookup.problem)
    b.sharing().share(b.make(FILES))
    assert a.remote().record(record.stage, record.key).record is not None


def test_a_record_of_another_version_is_left_as_it_is(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    damage(a, record_name(record), b'{"schema": 2}')
    assert "not one of this version" in str(b.sharing().find(record.stage, record.key).problem)
    assert a.remote().objects.read(record_name(record)) == b'{"schema": 2}'


@pytest.mark.parametrize("name", ["../../../outside", "/tmp/outside", "record.json"])
def test_a_record_cannot_reach_out_of_its_folder(machines: tuple[Machine, Machine], name: str) -> None:
    from infra.store.artifacts import content_digest

    a, b = machines
    record = a.make(FILES)
    files = {name: record.files["word.txt"]}
    evil = record.model_copy(update={"files": files, "digest": content_digest(files)})
    a.remote().objects.create(record_name(record), evil.model_dump_json().encode())
    assert "is not that of its files" in str(b.sharing().find(record.stage, record.key).problem)


def test_a_damaged_artifact_in_the_home_is_mended_from_the_store(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    record = a.make(FILES)
    a.sharing().share(record)
    folder = a.store.folder(record.stage, record.key)
    (folder / "word.txt").write_text("onX")
    (folder / "left by a kill").write_text("half")
    assert a.find(record) is not None
    assert a.read(record, "word.txt") == "one"
    assert not (folder / "left by a kill").exists()


def test_of_two_machines_one_is_first_and_both_are_right(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    records = [machine.make(FILES) for machine in machines]
    with ThreadPoolExecutor(2) as pool:
        sent = list(
            pool.map(lambda pair: pair[0].remote().push(pair[1]), zip(machines, records, strict=True))
        )
    assert [transfer.other for transfer in sent] == [None, None]
    third = Machine(a.home.parent / "c", a.url)
    found = third.find(records[0])
    assert found is not None
    assert found.digest == records[0].digest == records[1].digest
    assert all(machine.store.find("spell", records[0].key).record for machine in (a, b))


def test_other_bytes_under_the_same_key_never_mix(machines: tuple[Machine, Machine]) -> None:
    """A stage that is not deterministic: the second machine keeps its own, and the store the first's."""
    from infra.store.artifacts import content_digest, measure_files

    a, b = machines
    first = a.make(FILES)
    a.sharing().share(first)
    b.make(FILES)
    folder = b.store.folder(first.stage, first.key)
    (folder / "word.txt").write_text("two")
    files = measure_files(folder)
    second = first.model_copy(update={"files": files, "digest": content_digest(files)})
    b.store.commit(second)
    b.sharing().share(second)
    third = Machine(a.home.parent / "c", a.url)
    assert third.find(first) is not None
    assert "same key, other bytes" in b.said
    assert third.read(first, "word.txt") == "one"
    assert b.read(first, "word.txt") == "two"


def test_what_was_damaged_here_is_not_shared(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    record = a.make(FILES)
    (a.store.folder(record.stage, record.key) / "word.txt").write_text("onX")
    with pytest.raises(StoreError, match="it is not shared"):
        a.remote().push(record)
    assert a.remote().record(record.stage, record.key).record is None


def test_a_broken_download_goes_on_where_it_ended(
    machines: tuple[Machine, Machine], place: SharedPlace
) -> None:
    a, b = machines
    record = a.make({"model.bin": PATTERN * 800_000})
    a.sharing().share(record)
    folder = b.store.folder(record.stage, record.key)
    folder.mkdir(parents=True)
    (folder / "model.bin").write_text(PATTERN * 700_000)
    assert b.store.find(record.stage, record.key).record is None
    if place.proxy:
        place.proxy.arm(None)
    assert b.find(record) is not None
    if place.proxy:
        assert 100_000 * len(PATTERN) <= place.proxy.received < 200_000 * len(PATTERN)


def test_a_dry_run_looks_and_downloads_nothing(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    assert b.sharing().look(record.stage, record.key).record is not None
    assert not b.store.folder(record.stage, record.key).exists()


def test_least_recently_used_artifacts_go_first_and_only_shared_ones(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    bounded = Machine(a.home, a.url, cache_gb=0.0)
    records = [bounded.make({"word.txt": str(number) * 1000}, f"stage{number}") for number in range(4)]
    for age, record in enumerate(records[:3]):
        bounded.sharing().share(record)
        os.utime(bounded.store.folder(record.stage, record.key) / RECORD_FILE, (age, age))
    (bounded.settings.work / "kept").mkdir(parents=True)
    half = Machine(a.home, a.url, cache_gb=3000 / 1e9)
    half.trim()
    assert [record.stage for record in sorted(half.store.records(), key=lambda r: r.stage)] == [
        "stage1",
        "stage2",
        "stage3",
    ]
    keys = KeysInUse(bounded.settings.locks)
    keys.hold(records[1].key)
    bounded.trim()
    keys.release()
    assert {record.stage for record in bounded.store.records()} == {"stage1", "stage3"}
    assert (bounded.settings.work / "kept").is_dir()
    assert b.find(records[0]) is not None


def test_an_artifact_is_used_when_it_is_served(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    bounded = Machine(a.home, a.url, cache_gb=0.0)
    record = bounded.make(FILES)
    path = bounded.store.folder(record.stage, record.key) / RECORD_FILE
    os.utime(path, (1, 1))
    bounded.sharing().share(record)
    assert path.stat().st_mtime > 1
