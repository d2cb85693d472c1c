"""A few problems of our own, in the form of HumanEval's, and samples as files."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from tasks.evaluation.code_execution.problems import Problem

RIGHT = {"own/0": "    return x + 1\n", "own/1": "    return sorted(set(words))\n"}
PROBLEMS = {
    problem.task_id: problem
    for problem in (
        Problem(
            task_id="own/0",
            prompt='def next_one(x: int) -> int:\n    """The number after x."""\n',
            canonical_solution=RIGHT["own/0"],
            test="def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(-1) == 0\n",
            entry_point="next_one",
        ),
        Problem(
            task_id="own/1",
            prompt='def different(words):\n    """The different words, sorted."""\n',
            canonical_solution=RIGHT["own/1"],
            test="def check(candidate):\n    assert candidate(['b', 'a', 'b']) == ['a', 'b']\n",
            entry_point="different",
        ),
    )
}


def write_problems(path: Path) -> Path:
    text = "".join(problem.model_dump_json() + "\n" for problem in PROBLEMS.values())
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_samples(path: Path, samples: Iterable[tuple[str, str]]) -> Path:
    path.write_text(
        "".join(json.dumps({"task_id": task, "completion": text}) + "\n" for task, text in samples)
    )
    return path
