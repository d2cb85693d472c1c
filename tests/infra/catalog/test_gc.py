"""What is freed, and above all what is not."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.catalog.gc import find_garbage, free
from infra.hub.local import LocalHub
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.locks import KeysInUse
from infra.store.record import InputRecord, Record
from tests.infra.artifacts import folder, make_artifact
from tests.infra.store.shared.machines import Machine

Chain = dict[str, Record]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(home=tmp_path / "home"))


def make_chain(store: Store, word: str) -> Chain:
    """curate -> train -> package, and evaluate that measured the package against a baseline."""
    dataset = make_artifact(store, "curate", {"train": word})
    teacher = make_artifact(store, "train", {"weights": word * 100}, {"dataset": dataset})
    package = make_artifact(
        store, "package", {"model.onnx": word * 10}, {"model": teacher}, kind="ReleaseRef"
    )
    baseline = make_artifact(store, "baseline", {"model.skops": word * 5}, {"dataset": dataset})
    later = "2020-01-02T00:00:00+00:00"
    report = make_artifact(
        store,
        "evaluate",
        {"report.json": word + " measured"},
        {"package": package, "baseline": baseline},
        finished=later,
    )
    return {"curate": dataset, "train": teacher, "package": package, "baseline": baseline, "evaluate": report}


def publish(store: Store, chain: Chain, repo: str = "me/intents") -> None:
    LocalHub(store.settings.hub_folder).push("model", repo, folder(store, chain["package"]), "release")


def paths(store: Store, chain: Chain) -> set[Path]:
    return {folder(store, record) for record in chain.values()}


def garbage_of(store: Store, keep_days: float = 0.0, keep_releases: int | None = None) -> set[Path]:
    return {item.path for item in find_garbage(store.settings, keep_days, keep_releases)}


def test_a_release_keeps_what_it_was_made_from_and_what_was_measured_of_it(store: Store) -> None:
    released, dropped = make_chain(store, "released"), make_chain(store, "dropped")
    publish(store, released)
    assert garbage_of(store) == paths(store, dropped)


def test_a_published_data_set_keeps_its_own_past_and_not_what_was_trained_on_it(store: Store) -> None:
    chain = make_chain(store, "rows")
    LocalHub(store.settings.hub_folder).push("dataset", "me/rows", folder(store, chain["curate"]), "rows")
    assert garbage_of(store) == paths(store, chain) - {folder(store, chain["curate"])}


def test_only_the_newest_releases_count_when_told_so(store: Store) -> None:
    old, new = make_chain(store, "old"), make_chain(store, "new")
    publish(store, old)
    publish(store, new)
    assert garbage_of(store) == set()
    assert garbage_of(store, keep_releases=1) == paths(store, old)


def test_a_champion_that_was_rolled_back_to_counts_though_it_is_not_the_newest(store: Store) -> None:
    old, new, dropped = (make_chain(store, word) for word in ("old", "new", "dropped"))
    publish(store, old)
    publish(store, new)
    hub = LocalHub(store.settings.hub_folder)
    *_, first = hub.revisions("model", "me/intents")
    with hub.locked("model", "me/intents"):
        hub.set_main("model", "me/intents", first.revision)
    assert garbage_of(store, keep_releases=1) == paths(store, dropped)


def test_what_is_young_stays(store: Store) -> None:
    make_artifact(store, "curate", {"train": "today"}, finished=datetime.now(UTC).isoformat())
    assert garbage_of(store, keep_days=1) == set()
    assert len(garbage_of(store, keep_days=0)) == 1


def test_freeing_removes_the_folder_and_the_store_misses_it_cleanly(store: Store) -> None:
    chain = make_chain(store, "dropped")
    garbage = find_garbage(store.settings, 0.0)
    assert [item.size for item in garbage] == sorted((item.size for item in garbage), reverse=True)
    assert sum(item.size for item in garbage) > len("dropped") * 116
    assert free(store.settings, garbage) == garbage
    lookup = store.find("train", chain["train"].key)
    assert lookup.record is None
    assert lookup.problem is None


def test_a_folder_without_a_record_goes_unless_its_stage_is_at_work(store: Store) -> None:
    key = "1" * 64
    half = store.folder("train", key)
    half.mkdir(parents=True)
    (half / "weights").write_text("half")
    with store.lock(key):
        assert free(store.settings, find_garbage(store.settings, 7.0)) == []
    assert half.exists()
    (freed,) = free(store.settings, find_garbage(store.settings, 7.0))
    assert freed.path == half
    assert not half.exists()


def test_checkpoints_wait_for_their_stage_for_the_days_given(store: Store) -> None:
    work = store.work_dir("2" * 64)
    work.mkdir(parents=True)
    (work / "checkpoint").write_text("steps")
    assert garbage_of(store, keep_days=7) == set()
    week_ago = time.time() - 8 * 86_400
    for path in (work / "checkpoint", work):
        os.utime(path, (week_ago, week_ago))
    assert garbage_of(store, keep_days=7) == {work}


def public_tables(store: Store, name: str, days: float) -> Path:
    made = store.settings.warehouse_folder / "github_repos" / name
    made.mkdir(parents=True)
    (made / "files.parquet").write_text("rows")
    for path in (made / "files.parquet", made):
        os.utime(path, (time.time() - days * 86_400,) * 2)
    return made


def pinned(tables: Path) -> InputRecord:
    return InputRecord(kind="SourceRef", uri=tables.as_uri(), digest="0" * 64)


def test_public_tables_stay_as_long_as_an_artifact_that_was_read_from_them(store: Store) -> None:
    needed, young, old = (public_tables(store, name, days) for name, days in (("a", 30), ("b", 1), ("c", 30)))
    rows = make_artifact(store, "extract", {"rows": "kept"}, {"sources": pinned(needed)})
    LocalHub(store.settings.hub_folder).push("dataset", "me/rows", folder(store, rows), "rows")
    killed = public_tables(store, ".d.partial", 0)
    assert garbage_of(store, keep_days=7) == {old, killed}
    free(store.settings, find_garbage(store.settings, 7.0))
    assert sorted(old.parent.iterdir()) == [needed, young]


def test_tables_whose_artifact_goes_go_with_it(store: Store) -> None:
    made = public_tables(store, "a", 30)
    rows = make_artifact(store, "extract", {"rows": "dropped"}, {"sources": pinned(made)})
    assert garbage_of(store, keep_days=7) == {made, folder(store, rows)}


def test_what_a_run_counts_on_stays_with_what_it_was_made_from(store: Store) -> None:
    used, idle = make_chain(store, "used"), make_chain(store, "idle")
    keys = KeysInUse(store.settings.locks)
    keys.hold(used["train"].key)
    assert garbage_of(store) == paths(store, idle) | paths(store, used) - {
        folder(store, used[name]) for name in ("train", "curate")
    }
    keys.release()
    assert garbage_of(store) == paths(store, idle) | paths(store, used)


def test_what_is_used_between_the_list_and_the_freeing_stays(store: Store) -> None:
    record = make_artifact(store, "curate", {"train": "rows"})
    garbage = find_garbage(store.settings, 0.0)
    store.use(record)
    assert free(store.settings, garbage) == []
    assert store.find("curate", record.key).record is not None


def test_beside_a_shared_store_only_the_home_is_freed(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home", (tmp_path / "store").as_uri())
    record = machine.make({"weights": "dropped"}, "train")
    machine.sharing().share(record)
    there = machine.remote().objects.sizes("artifacts")
    (gone,) = free(machine.settings, find_garbage(machine.settings, 0.0))
    assert gone.path == machine.store.folder("train", record.key)
    assert machine.here(record) is None
    assert machine.remote().objects.sizes("artifacts") == there
    assert machine.find(record) is not None
    assert machine.read(record, "weights") == "dropped"


def test_a_download_that_was_broken_off_is_freed_like_a_killed_stage(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home", (tmp_path / "store").as_uri())
    half = machine.store.folder("train", "3" * 64)
    half.mkdir(parents=True)
    (half / "weights").write_text("half")
    (garbage,) = find_garbage(machine.settings, 7.0)
    assert garbage.path == half
