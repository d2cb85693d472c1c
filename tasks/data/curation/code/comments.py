"""In which language a file's comments are written."""

import re
from functools import lru_cache
from typing import Any

FEWEST_BYTES = 60  # of words; fewer say nothing certain. Bytes and not words: Chinese has no blanks
MOST_CHARACTERS = 1_000
COMMENT = re.compile(r"(?:^|[ \t])#+[ \t]*([^\n]+)|(\"{3}|'{3})(.+?)\2", re.MULTILINE | re.DOTALL)
PROSE = re.compile(r"[^\W\d_]{2,}")
# A text of which one word in twelve is of these, which no other language has, is English. That saves asking the model (1 ms).
ENGLISH = frozenset(
    {
        "the",
        "and",
        "that",
        "for",
        "with",
        "are",
        "this",
        "from",
        "if",
        "you",
        "when",
        "not",
        "which",
        "should",
        "by",
    }
)
ENGLISH_SHARE = 1 / 12
UNKNOWN, OTHER = "too few words", "not certain"
CERTAIN = 0.9
NO_LANGUAGE = "zxx"  # ISO 639 for what is none


def language_of(text: str) -> str:
    """ISO code of the language of comments and docstrings; `UNKNOWN` for few words, `OTHER` where the model hesitates.

    By py3langid (Lui and Baldwin, "langid.py: an off-the-shelf language identification tool", 2012).
    """
    words = PROSE.findall(_first_comments(text))
    if len(" ".join(words).encode()) < FEWEST_BYTES:
        return UNKNOWN
    if sum(word.lower() in ENGLISH for word in words) >= ENGLISH_SHARE * len(words):
        return "en"
    code, chance = _identifier().classify(" ".join(words))
    return str(code) if chance >= CERTAIN and code != NO_LANGUAGE else OTHER


def _first_comments(text: str) -> str:
    said, size = [], 0
    for match in COMMENT.finditer(text):
        said.append(match[1] or match[3])
        size += len(said[-1])
        if size >= MOST_CHARACTERS:
            break
    return " ".join(said)[:MOST_CHARACTERS]


@lru_cache(maxsize=1)
def _identifier() -> Any:
    # Two seconds, and most corpora need it for a few files.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
