"""Curate rows, publish the data set. (Domain imports are inside: a hit never pays for sklearn.)"""

import tempfile
from pathlib import Path

from infra.engine.action import ActionRun, action
from infra.engine.stage import Metrics, StageRun, stage
from infra.hub.connect import open_hub
from infra.store.fingerprint import canonical
from infra.store.references import DatasetRef
from tasks.dataset.config import CurateCodeConfig, CurateConfig, PublishDatasetConfig
from tasks.dataset.section import curation_section
from tasks.results.curation import REPORT_FILE
from tasks.results.values import PublishedDataset


@stage(version=1, output=DatasetRef, section=curation_section, reads=(REPORT_FILE,))
def curate(run: StageRun, config: CurateConfig, rows: DatasetRef) -> Metrics:
    """Filter, redact, deduplicate and split the rows; `curation.json` says what each step did."""
    from tasks.dataset.curate import curate_rows

    return curate_rows(config, run.path(rows), run.output_dir)


@stage(version=1, output=DatasetRef, section=curation_section, reads=(REPORT_FILE,))
def curate_code(run: StageRun, config: CurateCodeConfig, rows: DatasetRef) -> Metrics:
    """Judge, deduplicate, redact and split files of code; `curation.json` says what each step did."""
    from tasks.dataset.code.curate import curate_files

    return curate_files(config, run.path(rows), run.output_dir)


@action(version=2)
def publish_dataset(
    run: ActionRun, config: PublishDatasetConfig, dataset: DatasetRef, rows: DatasetRef
) -> PublishedDataset:
    """Push the data set with its card to the Hub; the same rows and config give the same revision."""
    hub = open_hub(run.settings)
    source = run.source(canonical(config), dataset=dataset, rows=rows)
    if (revision := hub.made_from("dataset", config.name, source)) is None:
        from tasks.dataset.publish import assemble

        with tempfile.TemporaryDirectory(prefix="stillhouse-dataset-") as scratch:
            shown = config.model_copy(update={"name": hub.name(config.name)})
            folder = assemble(shown, run.path(dataset), run.path(rows), Path(scratch) / "dataset")
            message = f"Data set {dataset.digest[:12]}"
            revision = hub.push("dataset", config.name, folder, message, source=source)
    return PublishedDataset(repo=revision.repo, revision=revision.revision, path=revision.path)
