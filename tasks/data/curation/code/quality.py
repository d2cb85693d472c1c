"""How good a file of code is, in three words: what a model reads before the file, and can be asked for afterwards.

Seven marks, each from 0 (bad) to 1 (good), are added up by weights. All bounds are fixed: but for whether it has a test, a
file's quality does not depend on the other files. They say how carefully a file was written and kept, not whether it works:

    mark        weight   1 is
    documented    0.30   every class and function has a docstring; a file without any counts by its comments alone
    commented     0.10   2 to 40% of its lines are comments; without any 0, beyond 40% half (what is commented out is dead)
    tested        0.20   a test is named after it, in its repository; 0 is a test itself, half neither
    size          0.15   20 to 1,000 lines; 5 to 5,000 half, others 0
    licence       0.10   its repository names a licence
    parse         0.10   the parser has no warning, such as a `\\d` in a plain string
    copies        0.05   16 copies or more in other repositories (by the logarithm): others chose it

A file that does not parse is not in a corpus at all. Below 0.42 is low, from 0.63 on high: of the 13,739 files that curation
keeps of 12 repositories (shared/data/python_code) these were 20% and 30%.
"""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from tasks.formats.code_tokens import Quality

MEDIUM, HIGH = 0.42, 0.63
MOST_COPIES = 16
UNNAMED_LICENCES = frozenset({"", "other", "unknown", "none", "noassertion"})
TEST_FOLDERS = frozenset({"test", "tests", "testing"})

COMMENT = re.compile(r"^[ \t]*#", re.MULTILINE)
DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)\b", re.MULTILINE)
# A text in three quotes right behind a line that ends in a colon: the way that every docstring begins.
DOCSTRING = re.compile(r""":[ \t]*(?:#[^\n]*)?\n\s*[rRuU]?(?:\"{3}|'{3})""")


@dataclass(frozen=True)
class Traits:
    """What is looked at of a file's text."""

    lines: int
    comments: int  # lines
    definitions: int  # classes and functions
    docstrings: int
    warned: bool  # by the parser


def traits_of(text: str, warned: bool) -> Traits:
    """Counted by patterns: text that looks like a definition inside a string counts too, a docstring in one quote does not."""
    return Traits(
        lines=text.count("\n") + (not text.endswith("\n")),
        comments=sum(1 for _ in COMMENT.finditer(text)),
        definitions=sum(1 for _ in DEFINITION.finditer(text)),
        docstrings=sum(1 for _ in DOCSTRING.finditer(text)),
        warned=warned,
    )


def quality_of(traits: Traits, path: str, license: str, copies: int, tested: bool) -> Quality:
    """Low, medium or high; `tested` says whether the repository has a test that is named after the file."""
    score = (
        0.30 * _documented(traits)
        + 0.10 * _commented(traits)
        + 0.20 * (0.0 if is_test(path) else 1.0 if tested else 0.5)
        + 0.15 * _size(traits.lines)
        + 0.10 * (license.casefold() not in UNNAMED_LICENCES)
        + 0.10 * (not traits.warned)
        + 0.05 * min(math.log2(max(copies, 1)) / math.log2(MOST_COPIES), 1.0)
    )
    return "high" if score >= HIGH else "medium" if score >= MEDIUM else "low"


def is_test(path: str) -> bool:
    """Whether a file is a test or lies among tests, by its path."""
    place = PurePosixPath(path)
    named = (
        place.stem.startswith("test_") or place.stem.endswith("_test") or place.stem in {"conftest", "tests"}
    )
    return named or not TEST_FOLDERS.isdisjoint(part.casefold() for part in place.parts[:-1])


def names_with_tests(paths: Iterable[tuple[str, str]]) -> np.ndarray:
    """The modules that a test is named after, `test_NAME.py` or `NAME_test.py`, of (repository, path): sorted uint64 [n].

    Names are hashed: eight bytes a test are all that memory has of them.
    """
    found = (
        _named(repository, stem.removeprefix("test_").removesuffix("_test"))
        for repository, path in paths
        if (stem := PurePosixPath(path).stem).startswith("test_") or stem.endswith("_test")
    )
    return np.unique(np.fromiter(found, np.uint64))


def has_test(tests: np.ndarray, repository: str, path: str) -> bool:
    """Whether a test is named after a file, or after the folder of an `__init__.py`; in its repository."""
    place = PurePosixPath(path)
    name = _named(repository, place.parent.name if place.stem == "__init__" else place.stem.strip("_"))
    where = int(np.searchsorted(tests, np.uint64(name)))
    return where < len(tests) and int(tests[where]) == name


def _named(repository: str, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{repository}:{name}".encode(), digest_size=8).digest(), "big")


def _documented(traits: Traits) -> float:
    if not traits.definitions:
        return min(traits.comments / max(traits.lines, 1) / 0.1, 1.0)
    return min(traits.docstrings / traits.definitions, 1.0)


def _commented(traits: Traits) -> float:
    share = traits.comments / max(traits.lines, 1)
    return 1.0 if 0.02 <= share <= 0.4 else 0.5 if share > 0.02 else share / 0.02


def _size(lines: int) -> float:
    return 1.0 if 20 <= lines <= 1_000 else 0.5 if 5 <= lines <= 5_000 else 0.0
