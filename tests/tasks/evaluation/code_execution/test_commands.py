"""`stillhouse humaneval`: from a file of samples to a report and a table."""

import json
from pathlib import Path

import pytest

from infra.cli.command import main
from tests.tasks.evaluation.code_execution.own_problems import RIGHT, write_problems, write_samples

pytestmark = pytest.mark.usefixtures("home")


def test_samples_become_a_report_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = write_problems(tmp_path / "problems.jsonl.gz")
    samples = write_samples(
        tmp_path / "samples.jsonl", [("own/0", RIGHT["own/0"]), ("own/1", "    return 1\n")]
    )
    report = tmp_path / "made" / "report.json"
    asked = ["humaneval", f"{samples}", "--report", f"{report}", "--problems", f"{problems}", "--jobs", "2"]
    assert main([*asked, "--seconds", "20"]) == 0
    found = json.loads(report.read_text())["humaneval"]
    assert found["reasons"] == {"passed": 1, "wrong answer": 1}
    assert (found["problems"], found["passed"], found["pass_at_1"], found["pass_at_10"]) == (2, 1, 0.5, None)
    shown = capsys.readouterr().out
    assert "wrong answer" in shown and "pass@1 50.0% (95%: 9.5% to 90.5%)" in shown


def test_what_is_wrong_is_one_message_and_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = write_problems(tmp_path / "problems.jsonl")
    samples = write_samples(tmp_path / "samples.jsonl", [("own/0", ""), ("own/9", "")])
    asked = ["humaneval", f"{samples}", "--report", f"{tmp_path / 'r.json'}", "--problems", f"{problems}"]
    assert main(asked) == 2
    assert "line 2: there is no problem 'own/9'" in capsys.readouterr().err
    assert main([*asked, "--seconds", "0"]) == 2
    assert not (tmp_path / "r.json").exists()
