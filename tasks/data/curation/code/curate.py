"""Curate code: files as they were extracted become a corpus to train a language model on, and each step says what it took.

    python -m flows.data --preset github_python --code.near-duplicate-threshold 0.9

Each file is judged by itself, in several processes, and its text goes to the disk; then files are judged against the others
and against the problems that models are evaluated on, by what is small. What is dropped is counted, and never an error.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from loky.backend.context import cpu_count

from infra.errors import DataError
from tasks.data.curation.code.corpus_facts import corpus_info, corpus_report
from tasks.data.curation.code.decontaminate import read_problems
from tasks.data.curation.code.file_log import FileLog
from tasks.data.curation.code.files import Files, gather
from tasks.data.curation.code.judging import judged
from tasks.data.curation.code.quality import names_with_tests
from tasks.data.curation.code.scratch import Scratch
from tasks.data.curation.code.split import whole_repositories
from tasks.data.curation.code.steps import made_splits, take_steps
from tasks.data.curation.config import CurateCodeConfig
from tasks.formats.code_rows import open_files, read_files
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.corpus import CORPUS_SCHEMA, CorpusInfo, write_corpus
from tasks.formats.corpus_report import CORPUS_REPORT_FILE
from tasks.formats.curation_report import REPORT_FILE, CurationReport
from tasks.formats.dataset import SPLITS
from tasks.formats.value import write_value

ON_DISK = (".texts", ".paths", ".signatures")
MOST_WORKERS = 8  # one process hands out the files: more than it can feed are of no use


def curate_files(config: CurateCodeConfig, extract: Path, output: Path) -> dict[str, float]:
    """Read an extract of code, write the curated artifact, give its metrics.

    The artifact is data/, corpus.json, corpus_report.json and curation.json. Raises DataError when no file is left, there are
    fewer repositories than splits, or a split is empty; ConfigError for a repository that no file is of, and for problems
    that are not there.
    """
    shards = open_files(extract)
    held_out, tests = _names(config, shards)
    read_problems(
        config.decontaminate, config.decontaminate_ngram
    )  # what is wrong with them is said before the work
    output.mkdir(parents=True, exist_ok=True)
    workers = config.workers or min(cpu_count(), MOST_WORKERS)
    total = sum(shard.metadata.num_rows for shard in shards)
    with ExitStack() as opened:
        files = Files(total, *(opened.enter_context(Scratch(output / name)) for name in ON_DISK))
        gather(files, judged(config, read_files(shards), workers), tests, config.redact)
        log = take_steps(config, files, held_out)
        info = corpus_info(files, log, made_splits(config), held_out, config.file_share)
        _check_splits(info)
        _write(files, log, info, output, config.rows_per_shard)
        write_value(output / CORPUS_REPORT_FILE, corpus_report(files, log))
    report = CurationReport(
        rows_in=total,
        rows_out=sum(info.rows.values()),
        splits=info.rows,
        made_splits=tuple(info.rows),
        steps=tuple(log.steps),
        warnings=(),
    )
    write_value(output / REPORT_FILE, report)
    return report.metrics() | {"bytes_out": float(sum(info.bytes.values()))}


def _names(config: CurateCodeConfig, shards: list[pq.ParquetFile]) -> tuple[tuple[str, ...], np.ndarray]:
    """The repositories that are held out, and the modules that have a test, by a look at names alone."""
    repositories: set[str] = set()

    def places() -> Iterator[tuple[str, str]]:
        for batch in read_files(shards, ("repo_name", "path")):
            repository, path = (batch[name].to_pylist() for name in ("repo_name", "path"))
            repositories.update(repository)
            yield from zip(repository, path, strict=True)

    tests = names_with_tests(places())
    return whole_repositories(config.held_out, sorted(repositories)), tests


def _write(files: Files, log: FileLog, info: CorpusInfo, output: Path, rows_per_shard: int) -> None:
    numbers = {split: log.in_split(split) for split in info.rows}

    def table(split: str, start: int, end: int) -> pa.Table:
        wanted = numbers[split][start:end]
        made = {
            "text": [files.texts.text(number) for number in wanted],
            "repo_name": [files.names["repo_name"].of(number) for number in wanted],
            "path": [files.paths.text(number) for number in wanted],
            "license": [files.names["license"].of(number) for number in wanted],
            "quality": [QUALITIES[place] for place in files.columns["quality"][wanted]],
        }
        return pa.table(made, CORPUS_SCHEMA)

    write_corpus(table, info, output, rows_per_shard)


def _check_splits(info: CorpusInfo) -> None:
    if empty := [split for split in SPLITS if info.rows.get(split) == 0]:
        raise DataError(
            f"no file is left for {' and '.join(empty)}: expected some. Name other repositories in code.held_out, or "
            "another code.file_share."
        )
