"""Files of problems and samples: read as HumanEval's harness does, and what is wrong in one is said by its line."""

import json
from pathlib import Path

import pytest

from infra.errors import DataError, HubError
from tasks.evaluation.code_execution.problems import hub_problems, read_problems, read_samples
from tests.tasks.evaluation.code_execution.own_problems import PROBLEMS, write_problems, write_samples

GOOD = json.dumps({"task_id": "own/0", "completion": "    pass\n", "more": 1})


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.jsonl.gz"])
def test_problems_are_read_gzipped_or_not(name: str, tmp_path: Path) -> None:
    assert read_problems(write_problems(tmp_path / name)) == PROBLEMS


def test_samples_keep_their_order_and_may_be_several_a_problem(tmp_path: Path) -> None:
    written = [("own/1", "a"), ("own/0", "b"), ("own/1", "c")]
    read = read_samples(write_samples(tmp_path / "samples.jsonl", written), PROBLEMS)
    assert [(sample.task_id, sample.completion) for sample in read] == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no line"),
        ("\n\n", "holds no line"),
        (f"{GOOD}\n\nno json\n", "line 3 is no JSON"),
        (f"{GOOD}\n[1]\n", "line 2: the line: .*expected an object with the texts task_id, completion"),
        (f'{GOOD}\n{{"task_id": "own/0"}}\n', "line 2: completion: field required"),
        ('{"task_id": "own/0", "completion": 3}', "line 1: completion: .*string"),
        ('{"task_id": "own/7", "completion": ""}', "line 1: there is no problem 'own/7'; expected one of 2"),
        ("\xff", "cannot be read"),
    ],
)
def test_what_is_wrong_with_samples_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=said):
        read_samples(tmp_path / "samples.jsonl", PROBLEMS)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl.gz").write_bytes(write_problems(tmp_path / "p.jsonl.gz").read_bytes()[:-20])
    (tmp_path / "plain.jsonl.gz").write_text(GOOD)
    for name in ("absent.jsonl", "cut.jsonl.gz", "plain.jsonl.gz"):
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            read_problems(tmp_path / name)


def test_a_problem_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write_problems(tmp_path / "problems.jsonl")
    path.write_text(path.read_text() * 2)
    with pytest.raises(DataError, match="line 3: own/0 stands in it twice"):
        read_problems(path)


@pytest.mark.slow
def test_without_network_the_hub_s_problems_are_asked_for_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", f"{tmp_path}")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"openai/openai_humaneval.+Give --problems FILE"):
        hub_problems()
