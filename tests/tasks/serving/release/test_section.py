"""What the gate shows of its evidence, and a package of what a user gets."""

from pathlib import Path

import pytest

from tasks.evaluation.gate.stages import gate
from tasks.formats.gate_verdict import ClassFall, Verdict
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.formats.report_file import write_report
from tasks.serving.release.package import package_model
from tasks.serving.release.stages import package
from tests.tasks.reporting.page import verdict
from tests.tasks.sections import facts_of, shown
from tests.tasks.serving.release.tiny_release import make_onnx_artifact


@pytest.mark.parametrize("outcome", ["pass", "fail", "needs_more_rows"])
def test_the_interval_is_drawn_beside_its_figures(outcome: Verdict, tmp_path: Path) -> None:
    write_report(tmp_path, verdict(outcome))
    section = shown(gate, tmp_path, tmp_path / "copy")
    assert f"dot {outcome}" in section.figures[0].svg and "margin -3.0" in section.figures[0].svg
    assert ("would decide" in facts_of(section)) == (outcome == "needs_more_rows")
    assert section.tables == ()


def test_classes_that_lost_too_much_are_listed(tmp_path: Path) -> None:
    fall = ClassFall(label="pay <b>", rows=30, recall_difference=-0.4, p_value=0.001)
    write_report(tmp_path, verdict("fail").model_copy(update={"failed_classes": (fall,)}))
    (table,) = shown(gate, tmp_path, tmp_path / "copy").tables
    assert table.rows[0]["label"] == "pay <b>"


def test_a_package_shows_how_it_answers(tmp_path: Path) -> None:
    rule = OutOfScopeRule(label="oos", score="log_odds", threshold=1.25, expected_share=0.18)
    package_model(make_onnx_artifact(tmp_path / "onnx", rule), tmp_path / "package")
    facts = facts_of(shown(package, tmp_path / "package", tmp_path / "copy"))
    assert facts["labels"] == "3" and facts["out of scope"] == "oos where log odds is under 1.25"
