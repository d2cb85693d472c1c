"""What is found out of a file by itself: whether it is of use, its text without secrets, and what it is compared by.

It is all that takes time, and knows one file at a time: `judging` shares the files out among processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from tasks.data.curation.code.comments import language_of
from tasks.data.curation.code.decontaminate import Overlap, Problems, read_problems
from tasks.data.curation.code.duplicates import content_digest, hashes_of, set_digest, sign
from tasks.data.curation.code.filters import PARSES, file_rules
from tasks.data.curation.code.parse import Parsed, parsed
from tasks.data.curation.code.quality import Traits, traits_of
from tasks.data.curation.code.words import words_of
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.curation.curation_log import shown
from tasks.data.curation.redact import EMAIL, SECRET, redact_texts

EMPTY, REDACTION = "empty", "redaction"


@dataclass(frozen=True)
class Finding:
    """What a file that is of use has in it. Digests are 16 bytes."""

    digest: bytes  # of its content, blanks left out
    words: bytes  # of the set of its words
    signature: bytes  # MinHash of that set; empty where no near copies are looked for
    traits: Traits
    language: str  # of its comments
    secrets: int  # replaced
    addresses: int
    overlap: Overlap | None  # with a problem that models are evaluated on


@dataclass(frozen=True)
class Judged:
    """A file: the rule that refused it or none, its text as it stays (as an example shows it, if refused), and more."""

    refused: str
    text: str
    changed: bool  # by redaction, before it was refused or not
    finding: Finding | None


def judge(config: CurateCodeConfig, texts: Sequence[str]) -> list[Judged]:
    """Judge files, each by itself, in order.

    Rules: empty, unparsable, those of `file_rules`; then secrets and addresses are replaced, and a file that no longer parses
    had one in its syntax (`a@b.T`).
    """
    refused, warned = _refusals(config, texts)
    clean, changed = list(texts), [False] * len(texts)
    if config.redact:
        kept = [i for i, rule in enumerate(refused) if not rule]
        for i, text in zip(kept, _redacted([texts[i] for i in kept]), strict=True):
            clean[i], changed[i] = text, text != texts[i]
        again = [i for i in kept if changed[i]]
        for i, answer in zip(again, parsed((clean[i] for i in again), config.parse_seconds), strict=True):
            refused[i] = REDACTION if answer == "refused" else ""
    return [
        Judged(rule, shown(text), differs, None)
        if rule
        else Judged("", text, differs, _finding(config, before, text, warns))
        for rule, text, before, differs, warns in zip(refused, clean, texts, changed, warned, strict=True)
    ]


def _refusals(config: CurateCodeConfig, texts: Sequence[str]) -> tuple[list[str], list[bool]]:
    """The rule that refuses each text, and whether the parser warned of it."""
    filled = [bool(text.strip()) for text in texts]
    answers = parsed((text for text, full in zip(texts, filled, strict=True) if full), config.parse_seconds)
    parses: list[Parsed | None] = [next(answers) if full else None for full in filled]
    rules = file_rules(config)
    refused = [
        EMPTY
        if answer is None
        else PARSES
        if answer == "refused"
        else next((rule.name for rule in rules if not rule.passes(text)), "")
        for text, answer in zip(texts, parses, strict=True)
    ]
    return refused, [answer == "warned" for answer in parses]


def _redacted(texts: list[str]) -> list[str]:
    clean: list[str] = redact_texts(pa.chunked_array([texts], pa.string())).to_pylist()
    return clean


def _finding(config: CurateCodeConfig, before: str, text: str, warned: bool) -> Finding:
    words = words_of(text)
    distinct = set(words)
    hashes = 0 if config.near_duplicate_threshold is None else hashes_of(config.near_duplicate_threshold)
    problems = _problems(config)
    return Finding(
        digest=content_digest(text),
        words=set_digest(distinct),
        signature=sign(distinct, hashes) if hashes else b"",
        traits=traits_of(text, warned),
        language=language_of(text),
        secrets=text.count(SECRET) - before.count(SECRET),
        addresses=text.count(EMAIL) - before.count(EMAIL),
        overlap=problems.overlap(words) if problems is not None else None,
    )


@lru_cache(maxsize=1)
def _problems(config: CurateCodeConfig) -> Problems | None:
    """Read once in each process."""
    return read_problems(config.decontaminate, config.decontaminate_ngram) if config.decontaminate else None
