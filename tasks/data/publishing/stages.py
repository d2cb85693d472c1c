"""Publish the data set. (Domain imports are inside: what is there already never pays for them.)"""

import tempfile
from pathlib import Path

from infra.engine.action import ActionRun, action
from infra.hub.connect import open_hub
from infra.store.fingerprint import canonical
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.formats.kinds import DatasetRef
from tasks.formats.published_dataset import PublishedDataset


@action(version=3)
def publish_dataset(
    run: ActionRun, config: PublishDatasetConfig, dataset: DatasetRef, rows: DatasetRef
) -> PublishedDataset:
    """Push the data set with its card to the Hub; the same rows and config give the same revision."""
    hub = open_hub(run.settings)
    source = run.source(canonical(config), dataset=dataset, rows=rows)
    if (revision := hub.made_from("dataset", config.name, source)) is None:
        from tasks.data.publishing.publish import assemble

        with tempfile.TemporaryDirectory(prefix="stillhouse-dataset-") as scratch:
            shown = config.model_copy(update={"name": hub.name(config.name)})
            folder = assemble(shown, run.path(dataset), run.path(rows), Path(scratch) / "dataset")
            message = f"Data set {dataset.digest[:12]}"
            revision = hub.push("dataset", config.name, folder, message, source=source)
    return PublishedDataset(repo=revision.repo, revision=revision.revision, path=revision.path)
