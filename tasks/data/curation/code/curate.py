"""Curate code: files as they were extracted become a corpus to train a language model on, and each step says what it took.

    python -m flows.data --preset github_python --code.near-duplicate-threshold 0.9

Each file is judged alone, and secrets are replaced in what is left; then files are judged against the others and against
the problems that models are evaluated on. What is dropped is counted, and never an error.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from infra.errors import DataError
from tasks.data.curation.code.decontaminate import read_problems
from tasks.data.curation.code.duplicates import content_digest, exact_copies, near_copies
from tasks.data.curation.code.filters import contaminated, file_filters, unparsable
from tasks.data.curation.code.quality import module_name, names_with_tests, quality_of, traits_of
from tasks.data.curation.code.split import split_by_repository, split_of_file, whole_repositories
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

    Raises DataError when no file is left, there are fewer repositories than splits, or a split is empty; ConfigError for a
    repository that no file is of, and for problems that are not there.
    """
    log = CurationLog(expected="files of code")
    rows = read_files(extract)
    rows_in = rows.num_rows
    held_out = whole_repositories(config.held_out, pc.unique(rows["repo_name"]).to_pylist())
    tested = names_with_tests(zip(rows["repo_name"].to_pylist(), rows["path"].to_pylist(), strict=True))
    problems = read_problems(config.decontaminate, config.decontaminate_ngram)
    rows = rows.append_column("warned", pa.array(np.zeros(rows.num_rows, dtype=bool)))
    for rule in file_filters(config):
        rows = log.filter(rows, rule)
    if config.redact:
        rows = _redacted(rows, config, log)
    if by_file := bool(config.held_out or config.file_share):
        rows = _split_by_file(rows, config, held_out, log)
    rows = log.filter(rows, exact_copies())
    if config.near_duplicate_threshold is not None:
        rows = log.filter(rows, near_copies(config.near_duplicate_threshold))
    if not by_file:
        rows = _split_by_repository(rows, config, log)
    if config.decontaminate:
        rows = log.filter(rows, contaminated(problems))
    if config.redact:
        rows = _without_secret_places(rows, log)
    rows = rows.append_column("quality", pa.array(_qualities(rows, tested), pa.string()))
    info = describe(rows, _made(config, by_file), held_out, config.file_share)
    _check_splits(info.rows, log)
    write_corpus(rows, info, output, config.rows_per_shard)
    report = CurationReport(
        rows_in=rows_in,
        rows_out=rows.num_rows,
        splits=info.rows,
        made_splits=tuple(info.rows),
        steps=tuple(log.steps),
        warnings=tuple(log.warnings),
    )
    write_value(output / REPORT_FILE, report)
    return report.metrics() | {"bytes_out": float(sum(info.bytes.values()))}


def _made(config: CurateCodeConfig, by_file: bool) -> list[str]:
    """The splits there will be, train first."""
    if by_file:
        return [split for split in SPLITS if split != "validation" or config.file_share]
    shares = {"validation": config.validation_share, "test": config.test_share}
    return [split for split in SPLITS if shares.get(split, 1.0) > 0]


def _split_by_file(
    rows: pa.Table, config: CurateCodeConfig, held_out: Sequence[str], log: CurationLog
) -> pa.Table:
    """Whole repositories and single files set aside before copies are looked for: theirs are the ones that stay."""
    split = [
        "test"
        if name in held_out
        else split_of_file(content_digest(text.as_py()), config.file_share, config.seed)
        for name, text in zip(rows["repo_name"].to_pylist(), rows["text"], strict=True)
    ]
    parts = [f"test of {', '.join(held_out)}"] if held_out else []
    if config.file_share:
        parts.append(
            f"{config.file_share:.2%} of the other files each for test and validation, seed {config.seed}"
        )
    return log.change(
        rows, replace(rows, "split", pa.array(split, pa.string())), "split", "split", "; ".join(parts)
    )


def _split_by_repository(rows: pa.Table, config: CurateCodeConfig, log: CurationLog) -> pa.Table:
    made = _made(config, by_file=False)
    split = split_by_repository(
        rows["repo_name"].to_pylist(), config.validation_share, config.test_share, config.seed
    )
    reason = f"{', '.join(made)} of whole repositories, seed {config.seed}"
    return log.change(rows, replace(rows, "split", pa.array(split, pa.string())), "split", "split", reason)


def _qualities(rows: pa.Table, tested: set[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    columns = ("repo_name", "path", "license", "copies", "warned")
    texts = (text.as_py() for text in rows["text"])
    for text, *of_file in zip(texts, *(rows[name].to_pylist() for name in columns), strict=True):
        repository, path, license, copies, warned = of_file
        has_test = (repository, module_name(path)) in tested
        found.append(quality_of(traits_of(text, warned), path, license, copies, has_test))
    return found


def _check_splits(rows: dict[str, int], log: CurationLog) -> None:
    if empty := [split for split, count in rows.items() if not count]:
        raise DataError(
            f"no file is left for {' and '.join(empty)}: expected some. Name other repositories in code.held_out, or "
            f"another code.file_share.{log.noted}"
        )


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
