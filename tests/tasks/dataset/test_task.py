"""The two steps in a real flow: curated once, published under the same revision each time."""

from pathlib import Path

import pytest
from prefect import flow

from infra.artifact import DatasetRef
from infra.fingerprint import folder_digest
from infra.hub.local import LocalHub
from infra.run import StageOutcome, open_run
from tasks.dataset.config import CurateConfig, PublishDatasetConfig
from tasks.dataset.task import curate, publish_dataset
from tasks.labelled_text.dataset import load_info
from tasks.results.values import PublishedDataset
from tests.tasks.dataset.extracts import sentences, write_extract


@flow
def prepare(extract: str, config: CurateConfig) -> tuple[PublishedDataset, list[StageOutcome]]:
    with open_run("prepare", config) as run:
        rows = DatasetRef(uri=Path(extract).as_uri(), digest=folder_digest(Path(extract)))
        dataset = curate(config, rows)
        return publish_dataset(PublishDatasetConfig(name="local/intents"), dataset, rows), run.outcomes


@pytest.mark.usefixtures("prefect_server")
def test_a_second_run_serves_the_data_set_and_publishes_nothing_new(
    tracked_home: Path, tmp_path: Path
) -> None:
    texts, labels = sentences("ab", each=30)
    extract = str(write_extract(tmp_path / "extract", text=texts, label=labels))
    first, computed = prepare(extract, CurateConfig())
    again, served = prepare(extract, CurateConfig())
    assert [outcome.state for outcome in [*computed, *served]] == ["computed", "cached"]
    assert again == first
    hub = LocalHub(tracked_home / "hub")
    assert load_info(hub.resolve("dataset", "local/intents")).rows == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    assert [item.revision for item in hub.revisions("dataset", "local/intents")] == [first.revision]
