"""An input outside the store is what the key says from the digest to the record, or nothing is kept."""

import shutil
from pathlib import Path

import pytest
from prefect import flow
from pydantic import BaseModel, ConfigDict, Field

from infra.engine.run import open_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import DataError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import pin_sources
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.models.pretrained.config import BaseModelConfig
from tasks.models.pretrained.stages import pin_base_model
from tests.tasks.models.pretrained.tiny_model import write_model

pytestmark = pytest.mark.usefixtures("prefect_server", "tracked_home")


class ReadConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    base: BaseModelConfig
    meanwhile: Path | None = Field(
        None, json_schema_extra={"key": "ignore"}, description="a file that somebody saves"
    )


def _save(config: ReadConfig) -> None:
    if config.meanwhile is not None:
        config.meanwhile.write_text(config.meanwhile.read_text() + "\n")


@stage(version=1, output=DatasetRef)
def read_pinned_model(run: StageRun, config: ReadConfig, base: CheckpointRef) -> Metrics:
    """Reads the base model, which another job of the user's may save meanwhile."""
    _save(config)
    (run.work_dir / "checkpoint").write_text("of the new bytes")
    shutil.copy(run.path(base) / "config.json", run.output_dir / "config.json")
    return {}


@stage(version=1, output=DatasetRef)
def read_pinned_table(run: StageRun, config: ReadConfig, table: DatasetRef) -> Metrics:
    """The same of a table."""
    _save(config)
    (run.output_dir / "rows").write_text(table.digest)
    return {}


@flow(name="pinned")
def read(config: ReadConfig, table: Path | None = None) -> None:
    with open_run("pinned", config):
        if table is None:
            read_pinned_model(config, pin_base_model(config.base))
        else:
            pinned = pin_sources(ExtractConfig(table=(table,)))
            read_pinned_table(config, DatasetRef(uri=pinned.uri, digest=pinned.digest))


def kept() -> list[str]:
    return [record.stage for record in Store(get_settings()).records()]


def test_a_base_model_that_is_saved_over_while_it_is_read_poisons_no_key(home: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base")
    original = (folder / "config.json").read_text()
    asked = ReadConfig(base=BaseModelConfig(source=str(folder)))
    with pytest.raises(
        DataError, match=r"base of read_pinned_model, changed while .* Nothing of it was kept"
    ):
        read(asked.model_copy(update={"meanwhile": folder / "config.json"}))
    assert kept() == []
    assert not any((home / "work").iterdir())  # a checkpoint of the wrong bytes is no start either
    (folder / "config.json").write_text(original)
    read(asked)
    (copy,) = home.glob("artifacts/read_pinned_model/*/config.json")
    assert copy.read_text() == original


def test_a_table_that_is_written_to_while_it_is_read_poisons_no_key(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("text,label\nhello,a\nbye,b\n")
    config = ReadConfig(base=BaseModelConfig(), meanwhile=table)
    with pytest.raises(DataError, match="changed while read_pinned_table was under way"):
        read(config, table)
    assert kept() == []
