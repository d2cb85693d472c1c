"""Packing beside the Hugging Face course's own code: blocks a second on the same texts, by the same tokenizer, to the disk.

    python -m tests.benchmarks.packing --data ../shared/data      2,000 reviews of IMDb, five rounds, a Markdown table
    python -m tests.benchmarks.packing --data ../shared/data --reviews 25000 --rounds 3

`course` is the code of chapter 7, section 3: `datasets.map` with the tokenizer and its word ids, then `group_texts` over a
thousand rows at a time. `ids alone` is the same without word ids, masks and types. Each round every way has its turn, and reads
the texts from one Arrow file. That both have the same blocks, up to the first remainder that the course drops, is checked.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from infra.errors import DataError
from tasks.data.packing.config import PackConfig
from tasks.data.packing.pack import blocks_in_thousands, pack_texts
from tasks.data.packing.tokens import open_tokenizer
from tasks.formats.packed_tokens import open_packed
from tasks.formats.packing_report import COURSE_ROWS
from tasks.models.pretrained.resolve import packaged_model
from tests.benchmarks.tables import ratios, spread, table

LENGTH = 128
REVIEWS, ROUNDS = 2_000, 5
COURSE, IDS, OURS = "course", "course, ids alone", "ours"
Columns = dict[str, list[Any]]


def course(
    texts: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, words: bool, folder: Path
) -> datasets.Dataset:
    """Blocks as the course makes them, in Arrow files of `folder`."""

    def tokenize_function(examples: Columns) -> Any:
        result = tokenizer(examples["text"])
        if not words:
            return {"input_ids": result["input_ids"]}
        result["word_ids"] = [result.word_ids(i) for i in range(len(result["input_ids"]))]
        return result

    def group_texts(examples: Columns) -> Columns:
        concatenated = {k: sum(examples[k], []) for k in examples}  # noqa: RUF017  # as the course has it
        total = len(concatenated[next(iter(examples))]) // LENGTH * LENGTH
        result = {k: [t[i : i + LENGTH] for i in range(0, total, LENGTH)] for k, t in concatenated.items()}
        result["labels"] = result["input_ids"].copy()
        return result

    kept = {"batched": True, "load_from_cache_file": False}
    tokenized = texts.map(
        tokenize_function, remove_columns=["text"], cache_file_name=str(folder / "tokens.arrow"), **kept
    )
    return tokenized.map(group_texts, cache_file_name=str(folder / "blocks.arrow"), **kept)


def ways(model: Path, texts: datasets.Dataset) -> Mapping[str, Callable[[Path], int]]:
    """Each way by its name: packs the texts into a folder, gives the blocks. Raises DataError when these are not the same."""
    theirs, ours = AutoTokenizer.from_pretrained(model, trust_remote_code=False), open_tokenizer(model)
    config = PackConfig(length=LENGTH)

    def stream() -> Iterator[str]:
        for batch in texts.iter(COURSE_ROWS):
            yield from batch["text"]

    def packed(folder: Path) -> int:
        return pack_texts(config, ours, stream(), folder).tokens // LENGTH

    def course_of(words: bool) -> Callable[[Path], int]:
        return lambda folder: len(course(texts, theirs, words, folder))

    with tempfile.TemporaryDirectory(prefix="packing-benchmark-") as scratch:
        packed(Path(scratch) / "ours")
        found = open_packed(Path(scratch) / "ours")
        first = int(found.offsets[min(COURSE_ROWS, len(texts))]) // LENGTH
        blocks = course(texts, theirs, False, Path(scratch))
        same = np.array_equal(blocks[:first]["input_ids"], found.blocks(LENGTH)[np.arange(first)].ids)
        if not same or len(blocks) != blocks_in_thousands(found.offsets, LENGTH):
            raise DataError(
                "the course's code has other blocks: expected the same ones. Look at the tokenizer."
            )
    return {COURSE: course_of(words=True), IDS: course_of(words=False), OURS: packed}


def measure(model: Path, texts: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Blocks a second of each way in each round."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="packing-benchmark-") as scratch, silent():
        datasets.Dataset.from_dict({"text": list(texts)}).save_to_disk(f"{scratch}/texts")
        several = ways(model, datasets.load_from_disk(f"{scratch}/texts"))
        for _ in tqdm(range(rounds), desc="rounds"):
            for name, way in several.items():
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    started = time.perf_counter()
                    blocks = way(Path(folder))
                    found.setdefault(name, []).append(blocks / (time.perf_counter() - started))
    return found


def described(found: Mapping[str, Sequence[float]]) -> str:
    """A row a way: medians over the rounds, lowest and highest, and how much faster ours is, round by round."""
    ours = tuple(found[OURS])
    rows = [
        [name, spread(tuple(rates), 0), "" if name == OURS else spread(ratios(ours, tuple(rates)), 2)]
        for name, rates in found.items()
    ]
    return table(["way", "blocks/s", "ours is so many times as fast"], rows)


def read_reviews(data: Path, count: int) -> list[str]:
    """The first reviews of IMDb's train. Raises DataError when `data`, the folder of the shared real data, has none."""
    file = data / "imdb" / "train.jsonl.gz"
    if not file.is_file():
        raise DataError(f"{file} is not there: expected IMDb's reviews. Give the shared data's folder.")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in islice(lines, count)]


@contextmanager
def silent() -> Iterator[None]:
    """No bars of `datasets`, and no word of transformers on texts that are longer than the model: they are cut later."""
    level = logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
        logging.set_verbosity(level)


def main(arguments: Sequence[str]) -> int:
    """Read the reviews, measure, print the table."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.packing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    parser.add_argument("--reviews", type=int, default=REVIEWS, help="the first so many reviews of train")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(arguments)
    print(described(measure(packaged_model(), read_reviews(asked.data, asked.reviews), asked.rounds)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
