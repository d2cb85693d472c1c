"""Slips of the keyboard in words: neighbouring letters swapped, a letter left out, a letter twice."""

import re
from random import Random

# Shorter words are mostly keywords and single names: a slip in `if` is another word.
WORD = re.compile(r"[^\W\d_]{4,}")


def with_typos(text: str, rate: float, random: Random) -> str:
    """The text with a slip in a share of `rate` of its runs of four or more letters; nothing else changes."""
    return WORD.sub(lambda word: slip(word[0], random) if random.random() < rate else word[0], text)


def slip(word: str, random: Random) -> str:
    """The word with one slip behind its first letter; it may come out as it was, where two equal letters are swapped."""
    at = random.randrange(1, len(word) - 1)
    kept, letter, rest = word[:at], word[at], word[at + 1 :]
    kind = random.choice(("swap", "drop", "double"))
    if kind == "swap":
        return kept + rest[0] + letter + rest[1:]
    return kept + rest if kind == "drop" else kept + letter + letter + rest
