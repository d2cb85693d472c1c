"""Curate rows. (Domain imports are inside: a hit never pays for sklearn.)"""

from infra.catalog.contained import write_contained
from infra.engine.stage import Metrics, StageRun, stage
from tasks.data.curation.code.section import corpus_section
from tasks.data.curation.config import CurateCodeConfig, CurateConfig
from tasks.data.curation.section import curation_section
from tasks.formats.corpus import CORPUS_FILE
from tasks.formats.corpus_report import CORPUS_REPORT_FILE
from tasks.formats.curation_report import REPORT_FILE
from tasks.formats.kinds import DatasetRef


@stage(version=2, output=DatasetRef, section=curation_section, reads=(REPORT_FILE,))
def curate(run: StageRun, config: CurateConfig, rows: DatasetRef) -> Metrics:
    """Filter, redact, deduplicate and split the rows; `curation.json` says what each step did."""
    from tasks.data.curation.curate import curate_rows

    return curate_rows(config, run.path(rows), run.output_dir)


@stage(
    version=2, output=DatasetRef, section=corpus_section, reads=(REPORT_FILE, CORPUS_FILE, CORPUS_REPORT_FILE)
)
def curate_code(run: StageRun, config: CurateCodeConfig, rows: DatasetRef) -> Metrics:
    """Judge, deduplicate, redact and split files of code; `curation.json` says what each step did."""
    from tasks.data.curation.code.curate import curate_files
    from tasks.formats.corpus import sources_of

    metrics = curate_files(config, run.path(rows), run.output_dir)
    write_contained(run.output_dir, sources_of(run.output_dir))
    return metrics
