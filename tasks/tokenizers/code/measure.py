"""Measure tokenizers on code that none has learned from, all on the same texts (Rust et al. 2021, section 3, for the figures).

Texts are those of the test split: each repository that was held out whole is a group, the others are `files`.
"""

import keyword
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
from tokenizers import Tokenizer

from infra.errors import DataError
from tasks.formats.corpus import load_corpus
from tasks.formats.dataset import split_files
from tasks.formats.report_file import write_report
from tasks.formats.rust_panics import tokenizing
from tasks.formats.tokenizer_report import OURS, REFERENCE, MeasuredTokenizer, TextGroup, TokenizerReport
from tasks.tokenizers.code.config import MeasureCodeTokenizerConfig
from tasks.tokenizers.code.cutting import Cutting
from tasks.tokenizers.code.tokens import shown_tokens, walk
from tasks.tokenizers.code.typos import with_typos
from tasks.tokenizers.files import read_tokenizer
from tasks.tokenizers.measure import WORD

SPLIT, FILES = "test", "files"
INDENTATIONS = (4, 8, 12, 16)
EXAMPLE = 'def grüße(name: str) -> str:\n    return f"Hallo {name} 🙂, 2026"\n'

Groups = Mapping[str, list[str]]


def measure_on_corpus(
    config: MeasureCodeTokenizerConfig, tokenizers: Mapping[str, Path], corpus: Path, output: Path
) -> dict[str, float]:
    """Write `report.json` and give its main figures. `tokenizers` are folders by name, `ours` among them.

    Raises ArtifactError for a folder without a corpus or a tokenizer, DataError when the test split has no words.
    """
    held_out = load_corpus(corpus).held_out
    groups = read_groups(corpus, held_out, config.most_bytes)
    order = sorted(tokenizers, key=lambda name: (name != OURS, name == REFERENCE, name))
    measured = []
    for name in order:
        tokenizer = read_tokenizer(tokenizers[name])
        with tokenizing(tokenizers[name]):
            measured.append(measure_tokenizer(name, tokenizer, groups, config))
    report = TokenizerReport(
        groups=tuple(describe(name, texts, repository=name != FILES) for name, texts in groups.items()),
        typo_rate=config.typo_rate,
        example=EXAMPLE,
        tokenizers=tuple(measured),
    )
    write_report(output, report)
    return report.metrics()


def read_groups(corpus: Path, held_out: tuple[str, ...], most_bytes: int) -> dict[str, list[str]]:
    """Texts of the test split: `files`, then each repository of `held_out`, of each the first `most_bytes` bytes or so.

    Raises DataError when there are none with a word.
    """
    groups: dict[str, list[str]] = {FILES: [], **{name: [] for name in held_out}}
    left = dict.fromkeys(groups, most_bytes)
    for path in split_files(corpus, SPLIT):
        for batch in pq.ParquetFile(path).iter_batches(1_000, columns=["text", "repo_name"]):
            for text, repository in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                name = repository if repository in left else FILES
                if left[name] > 0:
                    groups[name].append(text)
                    left[name] -= len(text.encode())
    found = {name: texts for name, texts in groups.items() if any(map(WORD.search, texts))}
    if not found:
        raise DataError(
            "the test split has no words: expected files of code to measure on. Look at the rows."
        )
    return found


def describe(name: str, texts: list[str], repository: bool) -> TextGroup:
    """What a group is."""
    return TextGroup(
        name=name,
        repository=repository,
        texts=len(texts),
        bytes=sum(len(text.encode()) for text in texts),
        characters=sum(map(len, texts)),
        words=sum(len(WORD.findall(text)) for text in texts),
    )


def measure_tokenizer(
    name: str, tokenizer: Tokenizer, groups: Groups, config: MeasureCodeTokenizerConfig
) -> MeasuredTokenizer:
    """One tokenizer on each group; special tokens in the texts are text."""
    tokenizer.encode_special_tokens = True
    cutting = Cutting(tokenizer)
    random = Random(config.seed)
    slips = {
        group: [with_typos(text, config.typo_rate, random) for text in texts]
        for group, texts in groups.items()
    }
    bare = tuple(word for word in keyword.kwlist if not _is_token(tokenizer, word))
    in_line = tuple(word for word in keyword.kwlist if not _is_token(tokenizer, f" {word}"))
    return MeasuredTokenizer(
        name=name,
        vocabulary_size=tokenizer.get_vocab_size(),
        groups={group: cutting.cut(texts) for group, texts in groups.items()},
        typos={group: Cutting(tokenizer).cut(texts) for group, texts in slips.items()},
        not_given_back=cutting.not_given_back,
        keywords_missing=tuple(word for word in bare if word in in_line),
        keywords_bare=bare,
        keywords_in_line=in_line,
        indentations={blanks: indentation_tokens(tokenizer, blanks) for blanks in INDENTATIONS},
        lengths=cutting.lengths,
        **shown_tokens(tokenizer),
        example=walk(tokenizer, EXAMPLE),
    )


def indentation_tokens(tokenizer: Tokenizer, blanks: int) -> int:
    """Tokens of a newline and so many blanks in front of a word, but for a last blank that goes with the word."""
    before = "if x:"
    text = f"{before}\n{' ' * blanks}return x"
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    end = len(before) + 1 + blanks
    return sum(len(before) < stop <= end for _, stop in offsets)


def _is_token(tokenizer: Tokenizer, word: str) -> bool:
    return len(tokenizer.encode(word, add_special_tokens=False).ids) == 1
