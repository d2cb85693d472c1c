"""Problems that models are evaluated on are found in files however these are laid out, and common phrases are not."""

import gzip
import json
from pathlib import Path

import pytest

from infra.errors import ConfigError, DataError
from tasks.data.curation.code.decontaminate import read_problems
from tasks.data.curation.code.words import words_of

PROBLEM = {
    "task_id": "Eval/7",
    "prompt": 'def shout(words):\n    """Join the words, in capitals, and end with as many marks as words."""\n',
    "canonical_solution": "    return ' '.join(word.upper() for word in words) + '!' * len(words)\n",
    "test": "def check(candidate):\n    assert candidate(['so', 'it', 'goes']) == 'SO IT GOES!!!'\n"
    "    assert candidate([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])\n",
}


def problems_file(folder: Path, *problems: object, name: str = "problems.jsonl") -> Path:
    text = "".join(json.dumps(problem) + "\n" for problem in problems)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.jsonl.gz"])
def test_a_solution_is_found_in_another_layout_and_named(tmp_path: Path, name: str) -> None:
    problems = read_problems([problems_file(tmp_path, PROBLEM, name=name)], 10)
    found = problems.overlap(
        words_of("return [\n  ' '.join(\n word.upper() for word in words\n) + ('!' *\n len(words))]")
    )
    assert found is not None and found.problem == "Eval/7"
    assert problems.overlap(words_of(PROBLEM["test"])) is not None
    assert problems.overlap(words_of("' '.join(word.upper() for word in words)")) is None, (
        "nine words are no copy"
    )


def test_counting_from_nought_to_eleven_is_no_copy(tmp_path: Path) -> None:
    problems = read_problems([problems_file(tmp_path, PROBLEM)], 10)
    assert problems.overlap(words_of("numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]")) is None


def test_what_is_no_file_of_problems_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"code\.decontaminate: .*gone\.jsonl is not there"):
        read_problems([tmp_path / "gone.jsonl"], 10)
    with pytest.raises(DataError, match="line 2 lacks canonical_solution, test"):
        read_problems([problems_file(tmp_path, PROBLEM, {"prompt": "x"})], 10)
    with pytest.raises(DataError, match="line 1 lacks prompt"):
        read_problems([problems_file(tmp_path, [1])], 10)
    (tmp_path / "bad.jsonl").write_text("{\n")
    with pytest.raises(DataError, match=r"bad\.jsonl, line 1 is no JSON"):
        read_problems([tmp_path / "bad.jsonl"], 10)


def test_a_problem_that_is_too_short_to_be_found_is_refused(tmp_path: Path) -> None:
    short = PROBLEM | {"prompt": "def f():\n", "canonical_solution": "    return 1\n"}
    with pytest.raises(DataError, match=r"Eval/7 has fewer than 10 words.*Lower code\.decontaminate_ngram"):
        read_problems([problems_file(tmp_path, short)], 10)
