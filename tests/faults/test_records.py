"""Records outlive versions, copies and cut-short files."""

import json
import shutil
from pathlib import Path

import pytest

from infra.settings import Settings, get_settings
from infra.store.artifacts import Store
from infra.store.history import read_history
from tests.faults.aged import aged
from tests.infra.artifacts import folder, make_artifact
from tests.infra.chain import ChainConfig, ChainResult, chain, word_file

HOME_OF_97DC1E6 = Path(__file__).with_name("home_of_97dc1e6")
OLD = ChainConfig(word="old")  # what that home was made with
DIGESTS = ["0f38d252daf037570084ab56de9b4a16a10c04e4f177d6aad6064526663944d9",
           "87e35d0d88ff9fea1063d88523de6ac0f2f8a72a5a8a570eef2329c0a9293a89"]  # fmt: skip


def states(result: ChainResult) -> list[str]:
    return [outcome.state for outcome in result.outcomes]


def make_newer(record: Path) -> None:
    """As a version after this one may write it: readable, and with another meaning."""
    told = json.loads(record.read_text())
    record.write_text(json.dumps(told | {"schema": 1000}))


@pytest.mark.usefixtures("prefect_server")
def test_a_record_says_its_schema(tracked_home: Path) -> None:
    chain(ChainConfig())
    records = [json.loads(path.read_text()) for path in tracked_home.glob("artifacts/*/*/record.json")]
    assert [record["schema"] for record in records] == [1, 1]


@pytest.mark.usefixtures("prefect_server")
def test_a_home_of_97dc1e6_keeps_its_hits_and_they_count_as_used(tracked_home: Path) -> None:
    shutil.copytree(HOME_OF_97DC1E6 / "artifacts", tracked_home / "artifacts")
    aged(tracked_home / "artifacts")
    before = {path: path.stat().st_mtime_ns for path in tracked_home.glob("artifacts/*/*/record.json")}
    result = chain(OLD)
    assert states(result) == ["cached", "cached"]
    assert [outcome.digest for outcome in result.outcomes] == DIGESTS
    assert all(path.stat().st_mtime_ns > used for path, used in before.items())


def test_a_record_of_a_newer_version_is_not_served(tmp_path: Path) -> None:
    store = Store(Settings(home=tmp_path / "home"))
    record = make_artifact(store, "train", {"weights": "w"})
    make_newer(folder(store, record) / "record.json")
    lookup = store.find("train", record.key)
    assert lookup.record is None
    assert "is not a record of this version" in str(lookup.problem)


def test_a_copied_home_is_hashed_once(tmp_path: Path) -> None:
    store = Store(Settings(home=tmp_path / "home"))
    record = make_artifact(store, "train", {"weights": "w", "sub/vocabulary": "v"})
    copy = Store(Settings(home=tmp_path / "copy"))
    shutil.copytree(store.settings.home, copy.settings.home)
    aged(copy.settings.home)
    assert copy.find("train", record.key).record is not None
    noted = json.loads((folder(copy, record) / "record.json").read_text())["files"]
    there = {name: (folder(copy, record) / name).stat().st_mtime_ns for name in noted}
    assert {name: file["mtime_ns"] for name, file in noted.items()} == there


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_step_metrics_that_were_cut_short_end_no_run_and_are_said_once(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain(ChainConfig())
    history = word_file(home).with_name("metrics.jsonl")
    history.write_text(history.read_text()[:-5])
    assert states(chain(ChainConfig())) == ["cached", "cached"]
    assert read_history(history.parent) == read_history(history.parent)
    assert sum(str(history) in message for message in caplog.messages) == 1
    assert get_settings().home == home
