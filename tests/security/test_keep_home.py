"""What a team keeps at home, such as rows before redaction, never reaches the shared store."""

from pathlib import Path

import pytest

from infra.cli.command import main
from infra.errors import ConfigError
from infra.settings import Settings, get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from infra.store.shared.sharing import Sharing
from tests.infra.artifacts import make_artifact
from tests.infra.chain import ChainConfig, plan

ROWS = {"rows-00000.parquet": "rows as they were read"}


class Machine:
    """A home that keeps `kept`, beside a store in a folder."""

    def __init__(self, folder: Path, name: str, kept: str) -> None:
        self.place = folder / "shared"
        asked = {"home": folder / name, "store": self.place.as_uri(), "store_keep_home": kept}
        self.settings = Settings.model_validate(asked)
        self.store = Store(self.settings)
        self.sharing = Sharing(self.settings, self.store, lambda line: None)

    def shared(self) -> set[str]:
        """Stages of which the store has anything."""
        return {path.name for path in self.place.glob("artifacts/*")}

    def finds(self, record: Record) -> bool:
        """Whether a run, or a dry run, would take it for a hit."""
        ways = (self.sharing.find, self.sharing.look)
        return any(way(record.stage, record.key).record is not None for way in ways)


def test_what_was_computed_or_hit_stays_at_home(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "home", kept="extract, curate")
    for stage in ("extract", "curate", "train"):
        record = make_artifact(machine.store, stage, ROWS)
        assert machine.sharing.publish(record) == record
        machine.sharing.share(record)
    assert machine.shared() == {"train"}


def test_what_a_killed_run_was_uploading_stays_at_home(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "home", kept="extract")
    record = make_artifact(machine.store, "extract", ROWS)
    machine.store.note_unpublished(record)
    (machine.store.folder(record.stage, record.key) / "record.json").unlink()
    assert machine.sharing.find(record.stage, record.key).record == record
    assert machine.shared() == set()


def test_nothing_of_it_is_taken_from_the_store(tmp_path: Path) -> None:
    record = make_artifact((other := Machine(tmp_path, "other", kept="")).store, "extract", ROWS)
    other.sharing.publish(record)
    assert other.shared() == {"extract"}
    assert not Machine(tmp_path, "home", kept="extract").finds(record)


def test_the_command_that_pushes_leaves_it_at_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE", (tmp_path / "shared").as_uri())
    monkeypatch.setenv("STILLHOUSE_STORE_KEEP_HOME", "extract")
    store = Store(get_settings())
    for stage in ("extract", "train"):
        make_artifact(store, stage, ROWS)
    for arguments in (["artifacts", "push"], ["artifacts", "push", "--check"]):
        assert main(arguments) == 0
        assert {path.name for path in tmp_path.glob("shared/artifacts/*")} == {"train"}
    assert "1 artifacts of extract stay in the home." in capsys.readouterr().out


@pytest.mark.usefixtures("home")
def test_a_stage_that_there_is_none_of_is_an_error_that_names_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE_KEEP_HOME", "extract,train_teacher,curat")
    with pytest.raises(ConfigError, match=r"names curat, .*curate, .*extract, .*spell, .*train_teacher"):
        plan(ChainConfig())


def test_nothing_is_pushed_where_a_stage_is_misspelt(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE", (tmp_path / "shared").as_uri())
    monkeypatch.setenv("STILLHOUSE_STORE_KEEP_HOME", "extrct")
    make_artifact(Store(get_settings()), "extract", ROWS)
    assert main(["artifacts", "push"]) == 2
    assert not (tmp_path / "shared").exists()
    said = capsys.readouterr()
    assert "extrct" in said.out + said.err
