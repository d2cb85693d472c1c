"""Print what each vocabulary size would do to a data set's held-out texts, before anything is trained.

python -m tests.benchmarks.vocabulary_sizes MODEL_FOLDER DATASET_FOLDER 4000 8000
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infra.errors import StillhouseError
from tasks.formats.rust_panics import tokenizing
from tasks.formats.texts import stream_texts
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.files import read_tokenizer
from tasks.tokenizers.measure import SPLIT, compare_tokenizers
from tasks.tokenizers.trim import choose_tokens, count_texts
from tasks.tokenizers.wordpiece import WordPiece, with_tokens
from tests.benchmarks.tables import table

HEAD = ("tokens", "characters", "unknown", "tokens a word", "words cut", "tokens kept", "texts unchanged")


def size_table(base_folder: Path, dataset: Path, sizes: Sequence[int]) -> str:
    """A Markdown table, one line for each size and choice of characters, the base vocabulary last.

    Raises what building the tokenizer raises.
    """
    base = WordPiece(read_tokenizer(base_folder))
    counts = count_texts(base, stream_texts(dataset, "train"))
    texts = [text for batch in stream_texts(dataset, SPLIT) for text in batch]
    whole = np.arange(max(base.tokens) + 1, dtype=np.int64)
    rows = [
        (str(choice), choose_tokens(base, counts, size, choice))
        for size in sizes
        for choice in ("scripts", "all")
    ]
    lines = []
    for choice, kept in [*rows, ("-", whole)]:
        tokenizer = base.tokenizer if choice == "-" else with_tokens(base, kept)
        found = compare_tokenizers(base.tokenizer, tokenizer, texts, asked=TokenizerConfig(), kept_ids=kept)
        after = found.after
        lines.append(
            [f"{len(kept):,}", choice, f"{after.unknown_rate:.2%}", f"{after.fertility:.3f}",
             f"{after.continued_words:.1%}", f"{found.coverage or 0:.1%}", f"{found.unchanged_texts or 0:.1%}"]
        )  # fmt: skip
    return table(HEAD, lines, left=(0, 1))


def main() -> int:
    """Read the command line and print the table; 2 for an error of the user's."""
    parser = argparse.ArgumentParser(description="What each vocabulary size would do to held-out texts.")
    parser.add_argument("model", type=Path, help="folder of the base model, with its tokenizer")
    parser.add_argument("dataset", type=Path, help="folder of a curated data set")
    parser.add_argument("sizes", type=int, nargs="+", help="vocabulary sizes, in tokens")
    asked = parser.parse_args()
    try:
        with tokenizing(asked.model):
            sys.stdout.write(size_table(asked.model, asked.dataset, asked.sizes) + "\n")
    except StillhouseError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
