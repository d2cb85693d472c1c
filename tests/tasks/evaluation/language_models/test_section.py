"""What an evaluation of language models shows: models side by side, fills as text."""

from pathlib import Path

from tasks.evaluation.language_models.stages import evaluate_lm
from tasks.formats.lm_report import LmEvaluation
from tasks.formats.report_file import write_report
from tests.tasks.reporting.adapted import MARKUP, evaluated
from tests.tasks.sections import shown


def test_models_and_their_fills_stand_side_by_side(tmp_path: Path) -> None:
    models = (evaluated("before", 374.4, "deal", ","), evaluated("after", 47.06, "movie", MARKUP))
    (tmp_path / "out").mkdir()
    write_report(tmp_path / "out", LmEvaluation(documents=9, hidden=81, models=models))
    section = shown(evaluate_lm, tmp_path / "out", tmp_path / "copy")
    measured, fills = section.tables
    assert [row["perplexity"] for row in measured.rows] == [374.4, 47.06]
    assert fills.title == "This is a great [MASK]." and fills.rows[1]["after"] == f"{MARKUP} (0.28)"
    assert "81 hidden tokens of 9 texts" in section.notes[0]
