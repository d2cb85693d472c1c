"""Curate code: files as they were extracted become a corpus to train a language model on, and each step says what it took.

    python -m flows.data --preset github_python --code.near-duplicate-threshold 0.9

Each file is judged alone, then against the others; secrets are replaced in what is left; splits are made last, of
whole repositories. What is dropped is counted, and never an error.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from tasks.data.curation.code.duplicates import exact_copies, near_copies
from tasks.data.curation.code.filters import file_filters, unparsable
from tasks.data.curation.code.split import split_by_repository
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.curation.curation_log import CurationLog, Filter, Judgement
from tasks.data.curation.redact import redact_texts
from tasks.data.curation.rows import replace
from tasks.formats.code_rows import PLACE_COLUMNS, read_files
from tasks.formats.corpus import describe, write_corpus
from tasks.formats.curation_report import REPORT_FILE, CurationReport
from tasks.formats.dataset import SPLITS
from tasks.formats.value import write_value


def curate_files(config: CurateCodeConfig, extract: Path, output: Path) -> dict[str, float]:
    """Read an extract of code, write the curated artifact (data/, corpus.json, curation.json), give its metrics.

    Raises DataError when no file is left, or there are fewer repositories than splits.
    """
    log = CurationLog(expected="files of code")
    rows = read_files(extract)
    rows_in = rows.num_rows
    for rule in file_filters(config):
        rows = log.filter(rows, rule)
    rows = log.filter(rows, exact_copies())
    if config.near_duplicate_threshold is not None:
        rows = log.filter(rows, near_copies(config.near_duplicate_threshold))
    if config.redact:
        rows = _redacted(rows, config, log)
    shares = {"validation": config.validation_share, "test": config.test_share}
    made = [split for split in SPLITS if shares.get(split, 1.0) > 0]
    split = split_by_repository(
        rows["repo_name"].to_pylist(), config.validation_share, config.test_share, config.seed
    )
    reason = f"{', '.join(made)} of whole repositories, seed {config.seed}"
    rows = log.change(rows, replace(rows, "split", pa.array(split, pa.string())), "split", "split", reason)
    if config.redact:
        rows = _without_secret_places(rows, log)
    info = describe(rows, made)
    write_corpus(rows, info, output, config.rows_per_shard)
    report = CurationReport(
        rows_in=rows_in,
        rows_out=rows.num_rows,
        splits=info.rows,
        made_splits=tuple(made),
        steps=tuple(log.steps),
        warnings=tuple(log.warnings),
    )
    write_value(output / REPORT_FILE, report)
    return report.metrics() | {"bytes_out": float(sum(info.bytes.values()))}


def _redacted(rows: pa.Table, config: CurateCodeConfig, log: CurationLog) -> pa.Table:
    """Secrets and addresses replaced; a file that no longer parses had one in its syntax (`a@b.T`), and goes."""
    chunks = tqdm(rows["text"].chunks, "redact", unit=" chunks", leave=False, disable=None)
    texts = pa.chunked_array(
        [redact_texts(pa.chunked_array([chunk])).combine_chunks() for chunk in chunks], pa.string()
    )
    changed = pc.not_equal(rows["text"], texts)
    after = log.change(
        rows, replace(rows, "text", texts), "text", "redact", "secrets and e-mail addresses replaced"
    )
    again = unparsable(config.parse_seconds)

    def judge(files: pa.Table) -> Judgement:
        keep = np.ones(files.num_rows, dtype=bool)
        places = np.flatnonzero(changed.to_numpy(zero_copy_only=False))
        keep[places] = again.judge(files.take(pa.array(places))).keep
        return Judgement(keep)

    reason = "without what was redacted it is not this Python's syntax"
    return log.filter(after, Filter("redaction", reason, judge, spares_test=False))


def _without_secret_places(rows: pa.Table, log: CurationLog) -> pa.Table:
    """Where a file is from, and its licence, are published with it. A step of its own only where one was changed."""
    for column in PLACE_COLUMNS:
        clean = redact_texts(rows[column])
        if not clean.equals(rows[column]):
            reason = f"secrets and e-mail addresses in {column} replaced"
            rows = log.change(rows, replace(rows, column, clean), column, f"redact_{column}", reason)
    return rows
