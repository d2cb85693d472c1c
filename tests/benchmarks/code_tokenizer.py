"""Tokenizers of code on repositories that none has learned from, beside GPT-2's: the tables of docs/code-tokenizer.md.

    python -m tests.benchmarks.code_tokenizer --data ../shared/data                      ours of 12,500 and 32,768 tokens
    python -m tests.benchmarks.code_tokenizer --data ../shared/data --words --most 25    what the words cost, from 25 MB

Three repositories are held out, and of others a hundredth of the files, by the digest of their text; no text is there twice.
Nothing is cleaned. GPT-2's tokenizer is fetched by pip (tasks/tokenizers/code/reference), or a folder's with `--reference`.
"""

import argparse
import gzip
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tokenizers import Tokenizer

from infra.errors import DataError, StillhouseError
from tasks.formats.tokenizer_report import OURS, REFERENCE, MeasuredTokenizer, TokenizerReport
from tasks.tokenizers.code.config import CodeTokenizerConfig, MeasureCodeTokenizerConfig, Words
from tasks.tokenizers.code.measure import EXAMPLE, FILES, describe, measure_tokenizer
from tasks.tokenizers.code.reference.config import PACKAGED, ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.resolve import resolve_reference
from tasks.tokenizers.code.sample import sampled
from tasks.tokenizers.code.train import PATTERNS, train_code_tokenizer
from tasks.tokenizers.files import read_tokenizer
from tests.benchmarks.tables import table

HELD_OUT = ("huggingface/setfit", "allenai/tango", "microsoft/Olive")
SIZES, SMALL = (32_768, 12_500), 8_192
LONGEST = 1_000_000  # characters of a file; curation leaves out longer ones
Rows = dict[str, list[str]]


def read_rows(data: Path) -> Rows:
    """Texts of `train`, `files` and each held out repository. Raises DataError when there are none."""
    rows: Rows = {"train": [], FILES: [], **{name: [] for name in HELD_OUT}}
    seen: set[bytes] = set()
    for path in sorted((data / "python_code").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                text = (row["content"] or "").encode("utf-8", "replace").decode()
                digest = hashlib.sha256(text.encode()).digest()
                if digest in seen or not text.strip() or len(text) > LONGEST:
                    continue
                seen.add(digest)
                part = FILES if int.from_bytes(digest[:3], "big") % 100 == 0 else "train"
                rows[row["repo_name"] if row["repo_name"] in HELD_OUT else part].append(text)
    if not seen:
        raise DataError(
            f"{data / 'python_code'} has no *.jsonl.gz with code: expected some. Correct `--data`."
        )
    return rows


def learned(rows: Rows, config: CodeTokenizerConfig) -> Tokenizer:
    """A tokenizer, and how long it took on stderr."""

    def batches() -> Iterator[list[str]]:
        for start in range(0, len(rows["train"]), 1_000):
            yield rows["train"][start : start + 1_000]

    begun = time.perf_counter()
    tokenizer = train_code_tokenizer(config, sampled(batches, config.most_bytes, config.seed))
    took = time.perf_counter() - begun
    sys.stderr.write(f"{config.words}, {config.vocabulary_size:,} tokens: learned in {took:.1f} s\n")
    return tokenizer


def measured(rows: Rows, tokenizers: Mapping[str, Tokenizer], most_bytes: int) -> TokenizerReport:
    """All tokenizers on the same texts."""
    config = MeasureCodeTokenizerConfig()
    groups = {name: _first(texts, most_bytes) for name, texts in rows.items() if name != "train"}
    return TokenizerReport(
        groups=tuple(describe(name, texts, name != FILES) for name, texts in groups.items()),
        typo_rate=config.typo_rate,
        example=EXAMPLE,
        tokenizers=tuple(measure_tokenizer(name, one, groups, config) for name, one in tokenizers.items()),
    )


def tables(report: TokenizerReport) -> str:
    """Tokens a byte by group, and the figures of the unseen repositories."""
    names = [one.name for one in report.tokenizers]
    by_group = [
        [
            group.name,
            f"{group.bytes:,}",
            *(f"{one.groups[group.name].tokens_per_byte:.4f}" for one in report.tokenizers),
        ]
        for group in report.groups
    ]
    last = report.tokenizers[-1]
    figures: dict[str, Callable[[MeasuredTokenizer], str]] = {
        "vocabulary": lambda one: f"{one.vocabulary_size:,}",
        "tokens a byte, unseen repositories": lambda one: f"{report.tokens_per_byte(one):.4f}",
        f"tokens for one of {last.name}": lambda one: f"{report.against(one, last):.3f}",
        "tokens a word": lambda one: _mean(report, one, "fertility"),
        "tokens a word, with typos": lambda one: _mean(report, one, "fertility", typos=True),
        "words cut": lambda one: _mean(report, one, "continued_words"),
        "words cut, with typos": lambda one: _mean(report, one, "continued_words", typos=True),
        "bytes in tokens of two or more": lambda one: _mean(report, one, "coverage"),
        "vocabulary that occurs": lambda one: _mean(report, one, "vocabulary_used"),
        "keywords that are no token": lambda one: ", ".join(one.keywords_missing) or "none",
        "... at the start of a line": lambda one: ", ".join(one.keywords_bare) or "none",
        "tokens of a newline and 4, 8, 12, 16 blanks": lambda one: ", ".join(
            map(str, one.indentations.values())
        ),
        "texts that do not come back": lambda one: str(one.not_given_back),
    }
    lines = [[name, *(told(one) for one in report.tokenizers)] for name, told in figures.items()]
    shown = [
        [name, *(", ".join(getattr(one, name)[:6]).replace("|", "\\|") for one in report.tokenizers)]
        for name in ("first", "last", "longest")
    ]
    return "\n\n".join(
        (
            table(("texts", "bytes", *names), by_group, left=(0,)),
            table(("figure", *names), lines, left=(0,)),
            table(("tokens", *names), shown, left=range(len(names) + 1)),
        )
    )


def _mean(report: TokenizerReport, one: MeasuredTokenizer, figure: str, typos: bool = False) -> str:
    groups = one.typos if typos else one.groups
    return f"{sum(getattr(groups[name], figure) for name in report.unseen) / len(report.unseen):.3f}"


def _first(texts: list[str], most_bytes: int) -> list[str]:
    sizes = 0
    return [text for text in texts if (sizes := sizes + len(text.encode())) <= most_bytes]


def main() -> int:
    """Read the command line and print the tables; 2 for an error of the user's."""
    parser = argparse.ArgumentParser(description="Tokenizers of code on unseen repositories, beside GPT-2's.")
    parser.add_argument("--data", type=Path, required=True, help="folder with python_code/*.jsonl.gz")
    parser.add_argument(
        "--words", action="store_true", help="compare the ways to cut words, in place of sizes"
    )
    parser.add_argument("--most", type=float, default=200, help="MB that are learned from at most")
    parser.add_argument(
        "--measured", type=float, default=2, help="MB of each group that are measured at most"
    )
    parser.add_argument(
        "--reference", default=PACKAGED, help="gpt2, a Hub id or a folder with a tokenizer.json"
    )
    parser.add_argument("--kept", type=Path, default=Path(".stillhouse/tokenizers"), help="where it is kept")
    asked = parser.parse_args()
    try:
        reference = read_tokenizer(
            resolve_reference(ReferenceTokenizerConfig(source=asked.reference), asked.kept)
        )
        rows = read_rows(asked.data)
        kinds: list[tuple[str, Words, int]] = (
            [(f"{words} {size:,}", words, size) for size in (SIZES[0], SMALL) for words in PATTERNS]
            if asked.words
            else [(OURS if size == SIZES[0] else f"{size:,}", "code", size) for size in SIZES]
        )
        tokenizers = {
            name: learned(
                rows, CodeTokenizerConfig(vocabulary_size=size, words=words, most_bytes=int(asked.most * 1e6))
            )
            for name, words, size in kinds
        }
        report = measured(rows, tokenizers | {REFERENCE: reference}, int(asked.measured * 1e6))
        sys.stdout.write(tables(report) + "\n")
    except StillhouseError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
