"""Which files are of no use to learn code from: what does not parse, what a program wrote, what is mostly data.

The bounds are those of the CodeParrot corpus' cleaning (Tunstall et al., "Natural Language Processing with
Transformers", chapter 10, and its published scripts) but for the share of numbers and for minified files, which are ours.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tasks.data.curation.config import CurateCodeConfig

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
NAME = re.compile(r"[^\W\d]\w*")
# What a minifier leaves: no blank where none is needed, and names of one letter. Each alone is found in honest files, such
# as lists of imports and mathematics. (25 files by python-minifier, names of globals changed: blanks 1 to 12% of the
# characters, one letter in 7 to 72% of the names.)
MINIFIED_BLANKS, MINIFIED_LETTERS = 0.12, 0.25


class Rule(NamedTuple):
    """A rule for one file: its name, a plain sentence on what it drops, and whether a text passes."""

    name: str
    reason: str
    passes: Callable[[str], bool]


PARSES = (
    "unparsable"  # the one rule that a process of its own decides on; the others stand before or behind it
)


def unparsable(config: CurateCodeConfig) -> str:
    """Which files go as unparsable: those that the parser refuses, does not finish in time, or does not survive."""
    return f"it is not this Python's syntax, or takes over {config.parse_seconds} s to parse"


def file_rules(config: CurateCodeConfig) -> tuple[Rule, ...]:
    """What a text that parses has to pass, in order."""
    lines, longest, mean = config.generated_lines, config.max_line_characters, config.max_mean_line_characters
    words, numbers = config.min_word_share, config.max_number_share

    def short_lines(text: str) -> bool:
        found = line_lengths(text)
        return found[0] <= longest and found[1] <= mean

    def code(text: str) -> bool:
        return share_of(WORD_CHARACTERS, text) >= words and share_of(NUMBERS, text) <= numbers

    return (
        Rule(
            "generated",
            f"one of the first {lines} lines says that a program wrote it",
            lambda text: not is_generated(text, lines),
        ),
        Rule(
            "long_lines",
            f"a line over {longest} characters, or lines of over {mean:g} on average",
            short_lines,
        ),
        Rule(
            "numbers",
            f"under {words:.0%} letters and digits, or over {numbers:.0%} numbers and hexadecimal digits: data, not code",
            code,
        ),
        Rule(
            "minified",
            f"under {MINIFIED_BLANKS:.0%} blanks and over {MINIFIED_LETTERS:.0%} names of one letter: a program wrote it",
            lambda text: not is_minified(text),
        ),
    )


def is_generated(text: str, lines: int) -> bool:
    """Whether one of the first lines says that a program wrote the file."""
    return GENERATED.search("\n".join(text.split("\n", lines)[:lines])) is not None


def is_minified(text: str) -> bool:
    """Whether a file has next to no blanks, and names of one letter."""
    if blanks(text) >= MINIFIED_BLANKS * len(text):
        return False
    names = NAME.findall(text)
    return sum(len(name) == 1 for name in names) > MINIFIED_LETTERS * len(names)


def line_lengths(text: str) -> tuple[int, float]:
    """(longest, mean) length of a file's lines, in characters."""
    lengths = [len(line) for line in text.splitlines()] or [0]
    return max(lengths), sum(lengths) / len(lengths)


def share_of(pattern: re.Pattern[str], text: str) -> float:
    """Share of a text's characters, blanks left out, that a pattern covers."""
    return sum(match.end() - match.start() for match in pattern.finditer(text)) / max(
        len(text) - blanks(text), 1
    )


def blanks(text: str) -> int:
    """Spaces, tabs and ends of lines."""
    return sum(map(text.count, " \t\r\n"))
