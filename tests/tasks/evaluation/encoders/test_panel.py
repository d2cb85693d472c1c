"""Scores over several labelled sets: means, what is kept of the teacher's, what one seed cannot say."""

from pathlib import Path

import numpy as np
import pytest

from infra.errors import ArtifactError
from tasks.evaluation.encoders.config import PanelConfig
from tasks.evaluation.encoders.panel import kept_share, score_panel
from tasks.evaluation.encoders.section import panel_section
from tasks.formats.panel_report import PanelReport, read_panel
from tasks.metrics.paired_seeds import Paired
from tests.tasks.evaluation.encoders.test_encoders import written

CHANCES = {"teacher": 0.8, "student": 0.79, "undistilled": 0.6, "random": 0.5}


def panel(folder: Path, seeds: dict[str, int]) -> PanelReport:
    rng = np.random.default_rng(0)
    scores = {}
    for of_set in ("films", "banks"):
        hard = rng.random(600)
        for name, count in seeds.items():
            right = hard[None] + rng.normal(0, 0.05, (count, 600)) < CHANCES[name]
            scores[f"{of_set}/{name}"] = written(folder / f"{of_set}-{name}", right)
    (folder / "panel").mkdir()
    score_panel(PanelConfig(), scores, folder / "panel")
    return read_panel(folder / "panel")


def test_a_good_student_keeps_its_teachers_score_and_is_above_the_undistilled(tmp_path: Path) -> None:
    found = panel(tmp_path, {"teacher": 3, "student": 3, "undistilled": 3, "random": 1})
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["teacher", "student", "undistilled", "random"]
    student = rows["student"]
    assert student.score == pytest.approx(np.mean([*student.sets.values()]))
    assert student.retained == pytest.approx(student.score / rows["teacher"].score)
    assert 0.9 < student.keeps < student.retained
    assert student.interval is not None and 0 < student.interval[0] < (student.over_undistilled or 0)
    assert rows["undistilled"].over_undistilled is None
    assert rows["random"].interval is None and rows["random"].keeps == 0 and rows["random"].seeds == 1
    (table,) = panel_section(tmp_path / "panel").tables
    assert str(table.rows[1]["over"]).startswith("+")


def test_who_answers_as_the_teacher_does_keeps_all_of_it() -> None:
    right = np.random.default_rng(0).random((3, 200)) < 0.7
    assert kept_share([Paired(right, right)], 0.95) == pytest.approx(1.0, abs=0.001)


def test_a_set_that_is_missing_is_named(tmp_path: Path) -> None:
    right = np.ones((2, 20), dtype=bool)
    scores = {
        name: written(tmp_path / name.replace("/", "-"), right)
        for name in ("a/teacher", "b/teacher", "a/student")
    }
    with pytest.raises(
        ArtifactError, match="a/teacher, b/teacher, a/student: expected every set of each encoder"
    ):
        score_panel(PanelConfig(), scores, tmp_path)
