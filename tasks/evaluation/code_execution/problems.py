"""HumanEval's problems and samples, as its own harness has them: JSON lines, gzipped or not."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.errors import DataError, HubError

HUB = "openai/openai_humaneval"
Line = TypeVar("Line", bound=BaseModel)


class Problem(BaseModel):
    """A prompt (signature and docstring), one right end of it, and `check(candidate)` in `test`."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    prompt: str
    canonical_solution: str
    test: str
    entry_point: str


class Sample(BaseModel):
    """What a model wrote after a problem's prompt."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    completion: str


def read_problems(path: Path) -> dict[str, Problem]:
    """Problems by their task_id. Raises DataError, which names the line."""
    problems: dict[str, Problem] = {}
    for number, problem in _lines(path, Problem):
        if problem.task_id in problems:
            raise DataError(f"{path}, line {number}: {problem.task_id} stands in it twice, expected once.")
        problems[problem.task_id] = problem
    return problems


def hub_problems() -> dict[str, Problem]:
    """The 164 problems of the Hub's `openai/openai_humaneval`. Raises HubError when it is out of reach."""
    from datasets import load_dataset

    try:
        rows = load_dataset(HUB, split="test")
    except (
        Exception
    ) as error:  # The library raises a dozen classes for "no network", some of others' libraries.
        raise HubError(
            f"the problems could not be read from the Hub ({HUB}: {type(error).__name__}: {error}). Expected network, or a "
            "copy in the cache of `datasets`. Give --problems FILE: HumanEval.jsonl.gz of github.com/openai/human-eval."
        ) from error
    return {problem.task_id: problem for problem in map(Problem.model_validate, rows)}


def read_samples(path: Path, problems: Mapping[str, Problem]) -> list[Sample]:
    """Samples in the file's order, several a problem. Raises DataError, which names the line."""
    samples = []
    for number, sample in _lines(path, Sample):
        if sample.task_id not in problems:
            raise DataError(
                f"{path}, line {number}: there is no problem {sample.task_id!r}; expected one of {len(problems)}, "
                f"{next(iter(problems))} to {[*problems][-1]}. Give the --problems that it was made for."
            )
        samples.append(sample)
    return samples


def _lines(path: Path, kind: type[Line]) -> Iterator[tuple[int, Line]]:
    expected = ", ".join(kind.model_fields)
    number = 0
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as file
        ):
            for place, text in enumerate(file, 1):
                if text.strip():
                    number = place
                    yield number, kind.model_validate(json.loads(text))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}): expected JSON lines of {expected}.") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, wrong["loc"])) or "the line"
        raise DataError(
            f"{path}, line {number}: {field}: {wrong['msg'].lower()}; expected an object with the texts {expected}."
        ) from None
    except ValueError as error:
        raise DataError(
            f"{path}, line {number} is no JSON ({error}): expected an object of {expected}."
        ) from None
    if not number:
        raise DataError(f"{path} holds no line: expected JSON lines of {expected}.")
