"""Two homes and one store: the same laws for a folder, S3 and Cloud Storage. Real clients, real servers."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import ArtifactError, StoreError, StoreUnreachable
from infra.store.artifacts import KEY_LENGTH
from infra.store.locks import KeysInUse
from infra.store.record import HISTORY_FILE, PROVENANCE_FILE, RECORD_FILE, UNPUBLISHED_FILE, Record
from tests.infra.store.shared.conftest import SharedPlace
from tests.infra.store.shared.machines import Machine, reference

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


def made_apart(machine: Machine, word: str) -> Record:
    """What a stage made that is not deterministic: one key, other bytes each time."""
    from infra.store.contents import content_digest, measure_files

    record = machine.make(FILES)
    folder = machine.store.folder(record.stage, record.key)
    (folder / RECORD_FILE).unlink()
    (folder / "word.txt").write_text(word)
    files = measure_files(folder)
    return record.model_copy(
        update={"files": files, "digest": content_digest(files), "mlflow_run_id": f"of {word}"}
    )


def test_what_one_machine_computed_is_a_verified_hit_on_another(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    found = b.find(record)
    assert found is not None
    assert found.digest == record.digest
    assert b.store.find(record.stage, record.key).record == found
    assert "3 files, 0.0 MB stay in the store" in b.said
    assert {name: b.read(record, name) for name in FILES} == {name: a.read(record, name) for name in FILES}
    assert b.store.find(record.stage, record.key, full=True).record == b.here(record)
    assert "fetched" in b.said


def test_a_hit_is_its_record_until_a_file_is_read(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    for _ in range(2):  # As the store has it, and as the home has noted it.
        lookup = b.sharing().find(record.stage, record.key)
        assert (lookup.record, lookup.remote) == (record, True)
    assert not [name for name in FILES if (b.store.folder(record.stage, record.key) / name).exists()]
    assert b.here(record) is None
    b.path(record)
    lookup = b.sharing().find(record.stage, record.key, full=True)
    assert (lookup.record, lookup.remote) == (b.here(record), False)


def test_with_every_byte_verified_the_files_come_at_once(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    assert b.find(record) is not None
    assert b.sharing().find(record.stage, record.key, full=True).record == b.here(record)
    assert b.here(record) is not None


def test_what_is_in_another_store_than_the_one_that_is_set_is_no_hit(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    b.find(record)
    moved = Machine(b.home, (tmp_path / "another").as_uri())
    lookup = moved.sharing().find(record.stage, record.key)
    assert lookup.record is None
    assert f"are in {b.url} alone" in str(lookup.problem)
    with pytest.raises(ArtifactError, match="Set STILLHOUSE_STORE="):
        moved.path(record)


def test_files_that_cannot_be_had_any_more_are_made_again_by_the_run_that_can(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    sharing = b.sharing()
    assert sharing.find(record.stage, record.key).remote
    a.remote().objects.delete(f"{content(record)}/word.txt")
    sharing.makers[record.key] = lambda: b.make(FILES)
    assert (sharing.store.path(reference(record)) / "word.txt").read_text() == "one"
    assert "It is computed again" in b.said
    assert a.remote().record(record.stage, record.key).record is None


def test_files_that_are_made_again_otherwise_are_not_taken_for_the_old_ones(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    sharing = b.sharing()
    assert sharing.find(record.stage, record.key).remote
    a.remote().objects.delete(f"{content(record)}/word.txt")
    sharing.makers[record.key] = lambda: b.make({"word.txt": "other"})
    with pytest.raises(ArtifactError, match=r"expected the same bytes\. Run the flow again"):
        sharing.store.path(reference(record))


def test_what_was_computed_before_a_kill_during_its_upload_is_not_computed_again(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    record = a.make(FILES)
    folder = a.store.folder(record.stage, record.key)
    a.store.note_unpublished(record)
    (folder / RECORD_FILE).unlink()
    assert a.find(record) == record
    assert a.here(record) == record
    assert not (folder / UNPUBLISHED_FILE).exists()
    assert b.find(record) == record
    (folder / "word.txt").write_text("changed since")
    (folder / RECORD_FILE).rename(folder / UNPUBLISHED_FILE)
    assert a.store.unpublished(record.stage, record.key) is None


def test_who_is_second_takes_the_files_of_the_first(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    first, second = made_apart(a, "one"), made_apart(b, "two")
    assert a.sharing().publish(first) == first
    a.store.commit(first)
    adopted = b.sharing().publish(second)
    b.store.commit(adopted)
    assert (adopted.digest, adopted.mlflow_run_id) == (first.digest, first.mlflow_run_id)
    assert b.store.find(first.stage, first.key, full=True).record == adopted
    assert b.read(first, "word.txt") == "one"
    assert f"its {first.digest[:12]} is taken, not {second.digest[:12]}" in b.said


def test_a_first_that_is_damaged_gives_way_to_the_second(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    first, second = made_apart(a, "one"), made_apart(b, "two")
    a.sharing().publish(first)
    damage(a, f"{content(first)}/word.txt", b"onX")
    assert b.sharing().publish(second) == second
    assert (b.store.folder(second.stage, second.key) / "word.txt").read_text() == "two"
    assert a.remote().record(first.stage, first.key).record == second


def test_a_store_that_is_gone_when_files_are_needed_says_what_to_do(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    a, b = Machine(tmp_path / "a", url), Machine(tmp_path / "b", url)
    record = a.make(FILES)
    a.sharing().share(record)
    sharing = b.sharing()
    assert sharing.find(record.stage, record.key).remote
    (tmp_path / "store").rename(tmp_path / "gone")
    with pytest.raises(
        StoreUnreachable, match=r"3 files, 0\.0 MB lie in .* alone, which does not answer\. Run the flow"
    ):
        sharing.store.path(reference(record))
    lookup = sharing.find(record.stage, record.key)  # Nothing that cannot be had is a hit.
    assert (lookup.record, "which does not answer" in str(lookup.problem)) == (None, True)
    (tmp_path / "gone").rename(tmp_path / "store")
    assert b.read(record, "word.txt") == "one"


def test_what_lies_beside_the_files_comes_with_the_record(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.remote().push(record)
    (a.store.folder(record.stage, record.key) / PROVENANCE_FILE).write_text('{"sql": "SELECT 1"}')
    assert a.remote().holds(record)
    assert not a.remote().holds(record, carried=True)
    a.remote().push(record)
    assert a.remote().holds(record, carried=True)
    b.find(record)
    assert (b.store.folder(record.stage, record.key) / PROVENANCE_FILE).read_text() == '{"sql": "SELECT 1"}'


def test_a_fetched_artifact_is_verified_by_time_and_size_alone(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    record = a.make(FILES)
    a.sharing().share(record)
    assert b.find(record) is not None
    path = b.path(record) / "word.txt"
    found = b.here(record)
    assert found is not None
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
    assert b.find(record) is not None
    with pytest.raises(
        ArtifactError, match=r"word\.txt does not have the bytes of its record\. Run the flow"
    ):
        b.path(record)
    assert b.find(record) is None
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
    from infra.store.contents import content_digest

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
    from infra.store.contents import content_digest, measure_files

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
    assert [half.here(record) is not None for record in records] == [False, True, True, True]
    keys = KeysInUse(bounded.settings.locks)
    keys.hold(records[1].key)
    bounded.trim()
    keys.release()
    assert [half.here(record) is not None for record in records] == [False, True, False, True]
    assert len(list(half.store.records())) == len(records)  # Where they came from is still known.
    assert (bounded.settings.work / "kept").is_dir()
    assert b.find(records[0]) is not None
