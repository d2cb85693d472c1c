"""The words of a file of code: what near copies share, and what gives away a problem's text in a file."""

import re

WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Names, keywords and numbers in their order; signs between them do not count."""
    return WORD.findall(text)
