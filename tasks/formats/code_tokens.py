"""The special tokens of a language model of code: what ends a file, and what is said of it before its first word.

A file is read as `<|quality_high|>`, its text, `<|endoftext|>`. They are ids that packing puts there: the same characters
inside a file are text like any other.
"""

from typing import Literal, get_args

Quality = Literal["low", "medium", "high"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)  # from the worst to the best
END_OF_TEXT = "<|endoftext|>"


def quality_token(quality: Quality) -> str:
    """The token that says how good the file behind it is."""
    return f"<|quality_{quality}|>"


SPECIAL_TOKENS = (END_OF_TEXT, *map(quality_token, QUALITIES))  # in the order of their ids, from 0
