"""Curate code: files as they were extracted become a corpus to train a language model on, and each step says what it took.

    python -m flows.data --config flows/recipes/github_python.yaml --code.near-duplicate-threshold 0.9

Each file is judged alone, then against the others; secrets are replaced in what is left; splits are made last, of
whole repositories. What is dropped is counted, and never an error.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from tasks.dataset.code.corpus import CorpusInfo, describe, write_corpus
from tasks.dataset.code.duplicates import exact_copies, near_copies
from tasks.dataset.code.filters import file_filters, unparsable
from tasks.dataset.code.rows import PLACE_COLUMNS, read_files
from tasks.dataset.code.split import split_by_repository
from tasks.dataset.config import CurateCodeConfig
from tasks.dataset.ledger import Filter, Judgement, Ledger
from tasks.dataset.redact import redact_texts
from tasks.dataset.rows import replace
from tasks.labelled_text.dataset import SPLITS
from tasks.results.curation import REPORT_FILE, CurationReport


def curate_files(config: CurateCodeConfig, extract: Path, output: Path) -> dict[str, float]:
    """Read an extract of code, write the curated artifact (data/, corpus.json, curation.json), give its metrics.

    Raises DataError when no file is left, or there are fewer repositories than splits.
    """
    ledger = Ledger(expected="files of code")
    rows = read_files(extract)
    rows_in = rows.num_rows
    for rule in file_filters(config):
        rows = ledger.filter(rows, rule)
    rows = ledger.filter(rows, exact_copies())
    if config.near_duplicate_threshold is not None:
        rows = ledger.filter(rows, near_copies(config.near_duplicate_threshold))
    if config.redact:
        rows = _redacted(rows, config, ledger)
    shares = {"validation": config.validation_share, "test": config.test_share}
    made = [split for split in SPLITS if shares.get(split, 1.0) > 0]
    split = split_by_repository(
        rows["repo_name"].to_pylist(), config.validation_share, config.test_share, config.seed
    )
    reason = f"{', '.join(made)} of whole repositories, seed {config.seed}"
    rows = ledger.change(rows, replace(rows, "split", pa.array(split, pa.string())), "split", "split", reason)
    if config.redact:
        rows = _without_secret_places(rows, ledger)
    info = describe(rows, made)
    write_corpus(rows, info, output, config.rows_per_shard)
    report = CurationReport(
        rows_in=rows_in,
        rows_out=rows.num_rows,
        splits=info.rows,
        made_splits=tuple(made),
        steps=tuple(ledger.steps),
        label_merges=(),
        dropped_labels={},
        warnings=tuple(ledger.warnings),
    )
    (output / REPORT_FILE).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return _metrics(report, info)


def _redacted(rows: pa.Table, config: CurateCodeConfig, ledger: Ledger) -> pa.Table:
    """Secrets and addresses replaced; a file that no longer parses had one in its syntax (`a@b.T`), and goes."""
    chunks = tqdm(rows["text"].chunks, "redact", unit=" chunks", leave=False, disable=None)
    texts = pa.chunked_array(
        [redact_texts(pa.chunked_array([chunk])).combine_chunks() for chunk in chunks], pa.string()
    )
    changed = pc.not_equal(rows["text"], texts)
    after = ledger.change(
        rows, replace(rows, "text", texts), "text", "redact", "secrets and e-mail addresses replaced"
    )
    again = unparsable(config.parse_seconds)

    def judge(files: pa.Table) -> Judgement:
        keep = np.ones(files.num_rows, dtype=bool)
        places = np.flatnonzero(changed.to_numpy(zero_copy_only=False))
        keep[places] = again.judge(files.take(pa.array(places))).keep
        return Judgement(keep)

    reason = "without what was redacted it is not this Python's syntax"
    return ledger.filter(after, Filter("redaction", reason, judge, spares_test=False))


def _without_secret_places(rows: pa.Table, ledger: Ledger) -> pa.Table:
    """Where a file is from, and its licence, are published with it. A step of its own only where one was changed."""
    for column in PLACE_COLUMNS:
        clean = redact_texts(rows[column])
        if not clean.equals(rows[column]):
            reason = f"secrets and e-mail addresses in {column} replaced"
            rows = ledger.change(rows, replace(rows, column, clean), column, f"redact_{column}", reason)
    return rows


def _metrics(report: CurationReport, info: CorpusInfo) -> dict[str, float]:
    metrics = {"rows_in": report.rows_in, "rows_out": report.rows_out, "bytes_out": sum(info.bytes.values())}
    metrics |= {f"{split}_rows": count for split, count in info.rows.items()}
    metrics |= {f"{step.name}_dropped": step.rows_in - step.rows_out for step in report.steps if step.dropped}
    metrics |= {f"{step.name}_changed": step.changed for step in report.steps if step.changed}
    return {name: float(value) for name, value in metrics.items()}
