"""`stillhouse artifacts push` and `pull` as a person uses it."""

from pathlib import Path

import pytest

from infra.cli.command import main
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from tests.infra.artifacts import folder, make_artifact
from tests.infra.store.shared.machines import Machine


@pytest.fixture
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_STORE", (tmp_path / "store").as_uri())
    get_settings.cache_clear()
    return tmp_path / "store"


@pytest.fixture
def computed_before(place: Path) -> list[Record]:
    store = Store(get_settings())
    return [
        make_artifact(store, "curate", {"rows": "r" * 1_000_000}),
        make_artifact(store, "train", {"weights": "w" * 500_000, "sub/config.json": "{}"}),
    ]


def test_what_was_computed_before_there_was_a_store_is_sent_and_said(
    place: Path, computed_before: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "push"]) == 0
    said = capsys.readouterr().out
    assert "/2 curate " in said
    assert "1.0 MB sent" in said
    assert f"2 artifacts sent to {place.as_uri()}, 1.5 MB; 0 were there." in said
    other = Machine(tmp_path / "other", place.as_uri())
    assert all(other.find(record) is not None for record in computed_before)


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_second_push_sends_nothing(
    computed_before: list[Record], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["artifacts", "push"])
    capsys.readouterr()
    assert main(["artifacts", "push", *arguments]) == 0
    assert capsys.readouterr().out.startswith("0 artifacts sent to ")


def test_what_the_store_has_lost_is_sent_again_when_it_is_asked_for_each(
    place: Path, computed_before: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["artifacts", "push"])
    (weights,) = place.glob("artifacts/train/*/*/weights")
    weights.unlink()
    main(["artifacts", "push"])
    assert not weights.exists()
    capsys.readouterr()
    assert main(["artifacts", "push", "--check"]) == 0
    assert "1 artifacts sent" in (said := capsys.readouterr().out)
    assert "1 were there" in said
    assert weights.exists()


def test_a_damaged_artifact_is_named_and_the_others_are_sent(
    place: Path, computed_before: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = folder(Store(get_settings()), computed_before[0]) / "rows"
    damaged.write_text("other bytes")
    assert main(["artifacts", "push"]) == 2
    told = capsys.readouterr()
    assert f"{damaged} does not have the bytes of its record: it is not shared" in told.out
    assert "1 artifacts were not sent" in told.err
    assert [path.parent.parent.name for path in place.glob("artifacts/*/*/record.json")] == ["train"]


def test_without_a_store_it_says_which_setting_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "push"]) == 2
    assert "STILLHOUSE_STORE is not set" in capsys.readouterr().err


def test_an_empty_home_has_nothing_to_send(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "push"]) == 0
    assert "0 artifacts sent" in capsys.readouterr().out


def test_what_only_the_store_has_is_pulled_with_all_that_it_was_made_from(
    place: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(get_settings())
    rows = make_artifact(store, "curate", {"rows": "r" * 1_000})
    weights = make_artifact(store, "train", {"weights": "w" * 500}, {"dataset": rows})
    other = make_artifact(store, "report", {"report.json": "{}"})
    main(["artifacts", "push"])
    for record in (rows, weights, other):
        with store.lock(record.key):
            store.leave_record(record)
    capsys.readouterr()
    assert main(["artifacts", "pull", weights.digest[:12]]) == 0
    assert f"2 artifacts fetched from {place.as_uri()}; 0 were here." in capsys.readouterr().out
    assert (folder(store, weights) / "weights").read_text() == "w" * 500
    assert store.is_here(rows) and not store.is_here(other)
    assert main(["artifacts", "pull"]) == 0
    assert "1 artifacts fetched" in (said := capsys.readouterr().out) and "; 2 were here." in said


def test_what_the_store_has_lost_cannot_be_pulled_and_is_named(
    place: Path, computed_before: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["artifacts", "push"])
    store = Store(get_settings())
    for record in computed_before:
        with store.lock(record.key):
            store.leave_record(record)
    (weights,) = place.glob("artifacts/train/*/*/weights")
    weights.unlink()
    assert main(["artifacts", "pull"]) == 2
    said = capsys.readouterr()
    assert "1 artifacts fetched" in said.out and "A run makes them anew" in said.err
