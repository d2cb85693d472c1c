"""Which files are of no use to learn code from: what does not parse, what a program wrote, what is mostly data.

The bounds are those of the CodeParrot corpus' cleaning (Tunstall et al., "Natural Language Processing with
Transformers", chapter 10, and its published scripts) but for the share of numbers, which is ours. All are applied
before a split is made, so to every file alike.
"""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tasks.data.curation.code.decontaminate import Problems
from tasks.data.curation.code.parse import parsed
from tasks.data.curation.code.words import words_of
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.curation.curation_log import Filter, Judgement

# What tools write at the head of what they make. The word alone ("generated") is in many honest comments.
GENERATED = re.compile(
    r"do not (?:edit|modify|change)|(?:auto|automatically)[- _]?generated|@generated|"
    r"generated (?:automatically )?(?:by|from|with|using)|this file (?:was|is) generated",
    re.IGNORECASE,
)
# Literals of numbers, escaped bytes, and digests or keys in hexadecimal.
NUMBERS = re.compile(
    r"\b(?:0[xX][0-9a-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?)\b|\\x[0-9a-fA-F]{2}|\b[0-9a-fA-F]{32,}\b"
)
WORD_CHARACTERS = re.compile(r"\w+")


def file_filters(config: CurateCodeConfig) -> tuple[Filter, ...]:
    """Filters that look at one file at a time, in order."""
    return (
        _each("empty", "no text", lambda text: bool(text.strip())),
        unparsable(config.parse_seconds),
        _generated(config),
        _lines(config),
        _numbers(config),
    )


def unparsable(seconds: int) -> Filter:
    """Files that the parser refuses, does not finish in time, or does not survive."""

    def judge(rows: pa.Table) -> Judgement:
        answers = parsed(_texts(rows, "unparsable"), seconds)
        return Judgement(np.fromiter((answer != "refused" for answer in answers), bool, count=rows.num_rows))

    reason = f"it is not this Python's syntax, or takes over {seconds} s to parse"
    return Filter("unparsable", reason, judge, spares_test=False)


def contaminated(problems: Problems) -> Filter:
    """Files that share words with a problem that models are evaluated on; those of test are not learned from, and stay."""

    def judge(rows: pa.Table) -> Judgement:
        shared = (problems.overlap(words_of(text)) for text in _texts(rows, "decontaminate"))
        return Judgement(np.fromiter((found is None for found in shared), dtype=bool, count=rows.num_rows))

    reason = f"{problems.size} words in a row are those of a problem that models are evaluated on"
    return Filter("contaminated", reason, judge)


def is_generated(text: str, lines: int) -> bool:
    """Whether one of the first lines says that a program wrote the file."""
    return GENERATED.search("\n".join(text.split("\n", lines)[:lines])) is not None


def line_lengths(text: str) -> tuple[int, float]:
    """(longest, mean) length of a file's lines, in characters."""
    lengths = [len(line) for line in text.splitlines()] or [0]
    return max(lengths), sum(lengths) / len(lengths)


def share_of(pattern: re.Pattern[str], text: str) -> float:
    """Share of a text's characters, blanks left out, that a pattern covers."""
    size = len(text) - sum(map(text.count, " \t\r\n"))
    return sum(match.end() - match.start() for match in pattern.finditer(text)) / max(size, 1)


def _generated(config: CurateCodeConfig) -> Filter:
    lines = config.generated_lines
    reason = f"one of the first {lines} lines says that a program wrote it"
    return _each("generated", reason, lambda text: not is_generated(text, lines))


def _lines(config: CurateCodeConfig) -> Filter:
    longest, mean = config.max_line_characters, config.max_mean_line_characters

    def fits(text: str) -> bool:
        found = line_lengths(text)
        return found[0] <= longest and found[1] <= mean

    return _each(
        "long_lines", f"a line over {longest} characters, or lines of over {mean:g} on average", fits
    )


def _numbers(config: CurateCodeConfig) -> Filter:
    words, numbers = config.min_word_share, config.max_number_share

    def fits(text: str) -> bool:
        return share_of(WORD_CHARACTERS, text) >= words and share_of(NUMBERS, text) <= numbers

    reason = f"under {words:.0%} letters and digits, or over {numbers:.0%} numbers and hexadecimal digits: data, not code"
    return _each("numbers", reason, fits)


def _each(name: str, reason: str, fits: Callable[[str], bool]) -> Filter:
    def judge(rows: pa.Table) -> Judgement:
        return Judgement(np.fromiter(map(fits, _texts(rows, name)), dtype=bool, count=rows.num_rows))

    return Filter(name, reason, judge, spares_test=False)


def _texts(rows: pa.Table, what: str) -> Iterator[str]:
    """Texts one by one, under a progress bar."""
    with tqdm(total=rows.num_rows, desc=what, unit=" files", disable=None, leave=False) as bar:
        for chunk in rows["text"].iterchunks():
            for text in chunk:
                bar.update()
                yield text.as_py()
