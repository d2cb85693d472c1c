"""Curation of code beside a plain loop of `datasets` and beside datatrove: MB/s of the same files by the same rules.

    python -m venv VENV && VENV/bin/pip install datatrove pyarrow      an environment of its own
    python -m tests.benchmarks.corpus --data ../shared/data --datatrove VENV/bin/python
    python -m tests.benchmarks.corpus --data ../shared/data --files 2000 --rounds 3

Peers judge and redact by `plain_filters`, as one would write it: `datasets.map` and `filter`, and datatrove's reader, filter,
writer and executor, each with as many processes as ours. `ours, the same` is our curation without near copies; `ours, all`
looks for those and for HumanEval's problems too. Both find traits, languages and equal copies besides, which the peers do
not. Each round every way has its turn. That all keep the same number of files before copies are looked for is checked.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from infra.errors import DataError
from tasks.data.curation.code import filters
from tasks.data.curation.code.curate import curate_files
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.curation.redact import EMAIL, EMAIL_PATTERN, SECRET, secret_patterns
from tasks.formats.curation_report import read_curation
from tests.benchmarks.plain_filters import PlainFilters
from tests.benchmarks.tables import ratios, spread, table

DATASETS, DATATROVE, SAME, ALL = "datasets", "datatrove", "ours, the same", "ours, all"
ROUNDS, PROCESSES = 3, 2
Way = Callable[[Path], tuple[float, int]]  # into a folder: seconds, files kept


def write_extract(data: Path, files: int | None, folder: Path) -> int:
    """An extract of the first files of the shared data, in as many shards as there are processes; gives its bytes."""
    shards = sorted((data / "python_code").glob("*.jsonl.gz"))
    if not shards:
        raise DataError(f"{data / 'python_code'} has no files: expected the shared data. Give its folder.")
    rows: list[dict[str, Any]] = []
    for shard in shards:
        with gzip.open(shard, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
        if files is not None and len(rows) >= files:
            break
    rows = rows[:files]
    for part in range(PROCESSES):
        some = rows[part::PROCESSES]
        columns = {name: [str(row[name]) for row in some] for name in ("repo_name", "path", "license")}
        columns["text"] = [row["content"] for row in some]
        made = pa.table({**columns, "row": list(range(part, len(rows), PROCESSES))})
        pq.write_table(made, folder / f"rows-{part:05}.parquet", row_group_size=1_000, compression="zstd")
    return sum(len(row["content"].encode()) for row in rows)


def rules(config: CurateCodeConfig) -> dict[str, Any]:
    """What the peers go by: our patterns and bounds."""
    secrets = [
        (pattern.pattern, pattern.flags & ~32, SECRET) for pattern in secret_patterns()
    ]  # 32: str, not bytes
    return {
        "generated": filters.GENERATED.pattern,
        "generated_lines": config.generated_lines,
        "numbers": filters.NUMBERS.pattern,
        "max_line": config.max_line_characters,
        "max_mean_line": config.max_mean_line_characters,
        "words_share": config.min_word_share,
        "numbers_share": config.max_number_share,
        "minified_blanks": filters.MINIFIED_BLANKS,
        "minified_letters": filters.MINIFIED_LETTERS,
        "secrets": [*secrets, (EMAIL_PATTERN.pattern, 0, EMAIL)],
    }


def by_datasets(extract: Path, spec: dict[str, Any], folder: Path) -> tuple[float, int]:
    """A map that cleans, a filter, a parquet file."""
    started = time.perf_counter()
    files = datasets.load_dataset(
        "parquet", data_files=str(extract / "*.parquet"), split="train", cache_dir=str(folder / "cache")
    )
    clean = PlainFilters(spec)
    kept = files.map(lambda row: {"text": clean(row["text"])}, num_proc=PROCESSES).filter(
        lambda row: row["text"] is not None, num_proc=PROCESSES
    )
    kept.to_parquet(str(folder / "kept.parquet"))
    return time.perf_counter() - started, len(kept)


def by_datatrove(python: Path, extract: Path, spec: dict[str, Any], folder: Path) -> tuple[float, int]:
    """A pipeline in an environment of its own; its seconds are counted there, once it is loaded."""
    (folder / "rules.json").write_text(json.dumps(spec), encoding="utf-8")
    script = Path(__file__).with_name("corpus_datatrove.py")
    given = (python, script, extract, folder / "out", folder / "rules.json", PROCESSES)
    command = [str(part) for part in given]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"datatrove's script ended with {done.returncode}: {done.stderr[-1500:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return told["seconds"], told["kept"]


def by_us(config: CurateCodeConfig, extract: Path, folder: Path) -> tuple[float, int]:
    """Our curation; kept are the files before copies are looked for."""
    started = time.perf_counter()
    curate_files(config, extract, folder / "out")
    seconds = time.perf_counter() - started
    steps = {step.name: step for step in read_curation(folder / "out").steps}
    return seconds, steps["exact_duplicates"].rows_in


def ways(extract: Path, data: Path, datatrove: Path | None) -> Mapping[str, Way]:
    """Each way by its name."""
    same = CurateCodeConfig(near_duplicate_threshold=None, file_share=0.01, workers=PROCESSES)
    problems = (data / "humaneval" / "humaneval.jsonl.gz",)
    everything = CurateCodeConfig(file_share=0.01, workers=PROCESSES, decontaminate=problems)
    spec = rules(same)
    peers: dict[str, Way] = {DATASETS: partial(by_datasets, extract, spec)}
    if datatrove is not None:
        peers[DATATROVE] = partial(by_datatrove, datatrove, extract, spec)
    return {**peers, SAME: partial(by_us, same, extract), ALL: partial(by_us, everything, extract)}


def measure(several: Mapping[str, Way], size: int, rounds: int) -> dict[str, list[float]]:
    """MB/s of each way in each round. Raises DataError when they do not keep the same number of files."""
    found: dict[str, list[float]] = {}
    kept: dict[str, int] = {}
    datasets.disable_progress_bars()
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, way in several.items():
            with tempfile.TemporaryDirectory(prefix="corpus-benchmark-") as folder:
                seconds, kept[name] = way(Path(folder))
            found.setdefault(name, []).append(size / 1e6 / seconds)
    if len(set(kept.values())) > 1:
        raise DataError(f"the ways keep {kept} files: expected the same number. Look at plain_filters.")
    return found


def described(found: Mapping[str, Sequence[float]]) -> str:
    """A row a way: medians over the rounds, lowest and highest, and how much faster ours (the same) is, round by round."""
    ours = tuple(found[SAME])
    rows = [
        [name, spread(tuple(rates), 2), "" if name == SAME else spread(ratios(ours, tuple(rates)), 2)]
        for name, rates in found.items()
    ]
    return table(["way", "MB/s", "ours, the same, is so many times as fast"], rows)


def main(arguments: Sequence[str]) -> int:
    """Write the extract, measure, print the table."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.corpus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    parser.add_argument(
        "--datatrove", type=Path, help="Python of an environment with datatrove; without: not measured"
    )
    parser.add_argument("--files", type=int, help="the first so many files; without: all 17,298")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="corpus-benchmark-") as folder:
        size = write_extract(asked.data, asked.files, Path(folder))
        print(described(measure(ways(Path(folder), asked.data, asked.datatrove), size, asked.rounds)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
