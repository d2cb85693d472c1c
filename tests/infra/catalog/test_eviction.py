"""What leaves a home of bounded size, and above all what does not. (Which goes first: test_remote_store.py.)"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.catalog.lineage import find_record
from infra.store.artifacts import KEY_LENGTH
from infra.store.locks import KeysInUse
from infra.store.record import Record
from tests.infra.store.shared.machines import Machine

Loss = Callable[[Path], object]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def machine(tmp_path: Path, place: Path) -> Machine:
    return Machine(tmp_path / "home", place.as_uri(), cache_gb=0.0)


def shared(machine: Machine, word: str = "one") -> Record:
    record = machine.make({"word.txt": word})
    machine.sharing().share(record)
    return record


def test_what_was_evicted_is_fetched_when_it_is_asked_for(machine: Machine) -> None:
    record = shared(machine)
    machine.trim()
    assert machine.here(record) is None
    assert "evicted" in machine.said
    assert machine.find(record) is not None
    assert machine.read(record, "word.txt") == "one"


def test_lineage_goes_on_through_what_was_evicted(machine: Machine) -> None:
    record = shared(machine)
    (machine.store.folder(record.stage, record.key) / "metrics.jsonl").write_text(
        '{"step": 0, "loss": 1.0}\n'
    )
    machine.trim()
    folder = machine.store.folder(record.stage, record.key)
    assert sorted(path.name for path in folder.iterdir()) == ["elsewhere.txt", "metrics.jsonl", "record.json"]
    assert find_record(machine.store, str(folder)) == record
    assert find_record(machine.store, record.digest[:12]) == record


@pytest.mark.parametrize(
    "lose",
    [
        lambda folder: (folder / "record.json").unlink(),
        lambda folder: next(folder.glob("*/word.txt")).unlink(),
        lambda folder: next(folder.glob("*/word.txt")).write_text("only half of it"),
        shutil.rmtree,
    ],
    ids=["the record", "a file", "the size of a file", "everything"],
)
def test_what_the_store_has_lost_since_stays(machine: Machine, place: Path, lose: Loss) -> None:
    record = shared(machine)
    lose(place / "artifacts" / record.stage / record.key[:KEY_LENGTH])
    machine.trim()
    assert machine.here(record) is not None
    assert "evicted" not in machine.said


def test_what_only_another_machine_made_otherwise_stays(machine: Machine, place: Path) -> None:
    """The store has something under the key, but not these bytes."""
    record = shared(machine)
    theirs = place / "artifacts" / record.stage / record.key[:KEY_LENGTH] / "record.json"
    told = json.loads(theirs.read_text())
    told["files"]["word.txt"]["sha256"] = "0" * 64
    theirs.write_text(json.dumps(told))
    machine.trim()
    assert machine.here(record) is not None


def test_what_a_run_counts_on_stays_until_it_ends(machine: Machine) -> None:
    used, idle = shared(machine), shared(machine, "two")
    keys = KeysInUse(machine.settings.locks)
    keys.hold(used.key)
    machine.trim()
    assert (machine.here(used) is not None, machine.here(idle)) == (True, None)
    keys.release()
    machine.trim()
    assert machine.here(used) is None


def test_what_a_process_holds_stays(machine: Machine) -> None:
    record = shared(machine)
    with machine.store.lock(record.key):
        machine.trim()
    assert machine.here(record) is not None


def test_no_more_goes_than_has_to(machine: Machine) -> None:
    records = [shared(machine, str(number) * 1000) for number in range(3)]
    for age, record in enumerate(records):
        os.utime(machine.store.folder(record.stage, record.key) / "record.json", (age, age))
    Machine(machine.home, machine.url, cache_gb=2000 / 1e9).trim()
    assert [machine.here(record) is not None for record in records] == [False, True, True]


def test_without_a_bound_everything_stays(machine: Machine) -> None:
    record = shared(machine)
    Machine(machine.home, machine.url).trim()
    assert machine.here(record) is not None


def test_a_store_that_is_gone_is_said_and_nothing_goes(machine: Machine, place: Path) -> None:
    record = shared(machine)
    shutil.rmtree(place.parent / "store")
    elsewhere = Machine(machine.home, (place / "not" / "mounted").as_uri(), cache_gb=0.0)
    elsewhere.trim()
    assert "nothing more was evicted" in elsewhere.said
    assert machine.here(record) is not None
