"""Curate rows, publish the data set. (Domain imports are inside: a hit never pays for sklearn.)"""

import tempfile
from pathlib import Path

from infra.artifact import DatasetRef
from infra.hub import open_hub
from infra.stage import ActionRun, Metrics, StageRun, action, stage
from tasks.dataset.config import CurateConfig, PublishDatasetConfig
from tasks.results.values import PublishedDataset


@stage(version=1, output=DatasetRef)
def curate(run: StageRun, config: CurateConfig, rows: DatasetRef) -> Metrics:
    """Filter, redact, deduplicate and split the rows; `curation.json` says what each step did."""
    from tasks.dataset.curate import curate_rows

    return curate_rows(config, run.path(rows), run.output_dir)


@action()
def publish_dataset(
    run: ActionRun, config: PublishDatasetConfig, dataset: DatasetRef, rows: DatasetRef
) -> PublishedDataset:
    """Push the data set with its card to the Hub; the same rows and config give the same revision."""
    from tasks.dataset.publish import assemble

    hub = open_hub(run.settings.hub, run.settings.hub_folder)
    with tempfile.TemporaryDirectory(prefix="stillhouse-dataset-") as scratch:
        folder = assemble(config, run.path(dataset), run.path(rows), Path(scratch) / "dataset")
        revision = hub.push("dataset", config.name, folder, f"Data set {dataset.digest[:12]}")
    return PublishedDataset(repo=revision.repo, revision=revision.revision, path=revision.path)
