"""Sections of artifacts, old ones too: what is fetched for them, and what is said when one cannot be made."""

import json
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel

from infra.engine.sections import declare_section, declared, show_artifacts
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError
from infra.settings import Settings
from infra.store.artifacts import Store
from tasks.formats.kinds import ReportRef
from tests.infra.artifacts import make_artifact
from tests.infra.store.shared.machines import Machine

FILES = {"report.json": '{"rows": 3}', "plots/a.png": "picture", "model.bin": "weights"}


def rows_of(folder: Path) -> dict[str, object]:
    """The section: what is said, and which files are there to be read."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {"rows": json.loads((folder / "report.json").read_text())["rows"], "files": names}


@stage(version=1, output=ReportRef, section=rows_of, reads=("report.json", "*.png"))
def measured_rows(run: StageRun, config: BaseModel) -> Metrics:
    """A stage with a section. It writes nothing: the tests make its artifacts themselves."""
    return {}


def test_an_artifact_that_is_older_than_its_section_is_shown(tmp_path: Path) -> None:
    store = Store(Settings(home=tmp_path))
    record = make_artifact(store, "measured_rows", FILES)
    (store.folder(record.stage, record.key) / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    other = make_artifact(store, "without_section", {"a": "b"})
    one, two = show_artifacts(store, [record, other])
    assert isinstance(one.section, dict) and one.section["rows"] == 3
    assert one.problem is None and one.history == [("loss", 2.0, 1)]
    assert two.section is None and two.problem is None and two.record == other


def test_from_a_shared_store_only_what_is_read_is_fetched(tmp_path: Path) -> None:
    url = (tmp_path / "shared").as_uri()
    first, second = Machine(tmp_path / "a", url), Machine(tmp_path / "b", url)
    record = first.make(FILES, stage="measured_rows")
    first.sharing().share(record)
    sharing = second.sharing()
    assert sharing.find(record.stage, record.key).remote
    (shown,) = show_artifacts(sharing.store, [record])
    assert isinstance(shown.section, dict)
    assert [name for name in shown.section["files"] if name in FILES] == ["plots/a.png", "report.json"]
    assert (
        second.here(record) is None and second.find(record) is not None
    )  # as far as stages know it is there alone
    assert second.read(record, "model.bin") == "weights" and second.here(record) is not None


def test_what_is_fetched_for_a_section_is_fetched_once(tmp_path: Path) -> None:
    url = (tmp_path / "shared").as_uri()
    first, second = Machine(tmp_path / "a", url), Machine(tmp_path / "b", url)
    record = first.make(FILES, stage="measured_rows")
    first.sharing().share(record)
    second.find(record)
    for _ in range(2):
        (shown,) = show_artifacts(second.sharing().store, [record])
        place = second.store.folder(record.stage, record.key) / "report.json"
        times = {place.stat().st_mtime_ns}
    assert shown.problem is None and times == {place.stat().st_mtime_ns}
    place.write_text('{"rows": 9}')  # as long, and other bytes: those of the store are taken
    (shown,) = show_artifacts(second.sharing().store, [record])
    assert isinstance(shown.section, dict) and shown.section["rows"] == 3


def test_a_store_that_is_gone_costs_the_section_and_nothing_else(tmp_path: Path) -> None:
    url = (tmp_path / "shared").as_uri()
    first, second = Machine(tmp_path / "a", url), Machine(tmp_path / "b", url)
    record = first.make(FILES, stage="measured_rows")
    first.sharing().share(record)
    second.find(record)
    shutil.rmtree(tmp_path / "shared")
    (shown,) = show_artifacts(second.sharing().store, [record])
    assert shown.section is None and shown.problem
    (alone,) = show_artifacts(Store(Settings(home=tmp_path / "b", _env_file=None)), [record])
    assert alone.problem is not None and "STILLHOUSE_STORE is not set" in alone.problem


def test_a_file_that_is_not_what_the_stage_writes_is_said(tmp_path: Path) -> None:
    store = Store(Settings(home=tmp_path))
    wrong = ({"report.json": "[]"}, {"report.json": "{}"}, {"report.json": "no JSON"}, {"other.json": "{}"})
    records = [make_artifact(store, "measured_rows", files) for files in wrong]
    for shown in show_artifacts(store, records):
        assert shown.section is None and "expected what measured_rows writes" in str(shown.problem)


def test_a_section_names_what_it_reads_and_files_are_read_by_a_section() -> None:
    with pytest.raises(ConfigError, match=r"some_stage has a section and reads \[\]: expected both or none"):
        declare_section("some_stage", rows_of, ())
    with pytest.raises(ConfigError, match=r"no section and reads \['report.json'\]"):
        declare_section("some_stage", None, ("report.json",))
    assert declared("some_stage") is None
