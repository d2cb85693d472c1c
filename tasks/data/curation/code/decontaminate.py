"""Files that hold a problem which models are evaluated on: a model that has read the answer is not asked anything.

A file is told by n words in a row that it shares with a problem (n-gram overlap: Brown et al., "Language Models are
Few-Shot Learners", 2020, appendix C, by 13 words), and goes as a whole: what is left around a cut is no module.

Words are names, keywords and numbers without the signs between them, so layout and brackets hide nothing. Rows of numbers
are in many tests and docstrings and are no copy of anything: at least half of the words must begin with a letter. With
HumanEval's 164 problems, of the 16,138 contents (153.0 MB) of 12 repositories (shared/data/python_code) these would go:

    words in a row    6     8    10    13
    files           593    28    12     1
    MB             27.1   1.7   0.5   0.1

and 89 (5.0 MB) by 10 words of any kind, 58 of them for counting from 0 to 9. The 12 are idioms (`for i in range(n): for j in
range(n)`) and none is a copy: 10 is short enough to find one and costs 0.3%, 8 would cost 1.1%.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.errors import ConfigError, DataError
from tasks.data.curation.code.words import words_of

FIELDS = ("prompt", "canonical_solution", "test")
Gram = tuple[str, ...]


class Overlap(NamedTuple):
    """A problem's name, and the words that a file shares with it."""

    problem: str
    words: str


class Problems:
    """Grams of problems: `size` words in a row each, and the first problem that has them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.grams: dict[Gram, str] = {}

    def add(self, name: str, text: str) -> None:
        """Take a text of a problem. One of fewer words than `size` gives nothing to find it by."""
        for gram in _grams(words_of(text), self.size):
            if sum(not word[0].isdigit() for word in gram) * 2 >= self.size:
                self.grams.setdefault(gram, name)

    def overlap(self, words: Sequence[str]) -> Overlap | None:
        """The first problem that shares a gram with these words."""
        gram = next((gram for gram in _grams(words, self.size) if gram in self.grams), None)
        return None if gram is None else Overlap(self.grams[gram], " ".join(gram))


def read_problems(paths: Sequence[Path], size: int) -> Problems:
    """Problems of files in HumanEval's form: JSON lines, `.gz` or not, with a prompt, its solution and its test.

    Prompt and solution are one text, as a file would hold them; the test is another. Raises ConfigError for a file that is
    not there, DataError for a line of another form, or a problem too short to be found.
    """
    problems = Problems(size)
    for path in paths:
        for number, fields in _lines(path):
            name = str(fields.get("task_id", f"{path.name}:{number}"))
            solved = fields["prompt"] + fields["canonical_solution"]
            if len(words_of(solved)) < size:
                raise DataError(
                    f"{path.name}, line {number}: {name} has fewer than {size} words, so no file could be told to hold "
                    "it. Lower code.decontaminate_ngram."
                )
            problems.add(name, solved)
            problems.add(name, fields["test"])
    return problems


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise ConfigError(
            f"code.decontaminate: {path} is not there: expected a file of problems. Correct it."
        )
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as lines
    ):
        for number, line in enumerate(lines, start=1):
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{path.name}, line {number} is no JSON ({error}). Expected one problem a line."
                ) from None
            lacking = [
                name
                for name in FIELDS
                if not isinstance(fields, dict) or not isinstance(fields.get(name), str)
            ]
            if lacking:
                raise DataError(
                    f"{path.name}, line {number} lacks {', '.join(lacking)}: expected texts {', '.join(FIELDS)}, as "
                    "HumanEval has them."
                )
            yield number, fields


def _grams(words: Sequence[str], size: int) -> Iterator[Gram]:
    return zip(*(words[start:] for start in range(size)), strict=False)
