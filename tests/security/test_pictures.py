"""Labels in plots are text: what matplotlib takes for a formula neither ends a run nor is drawn as one."""

from pathlib import Path

import numpy as np

from tasks.evaluation.plots import plot_confusion
from tasks.metrics.scores import Answers


def test_a_label_that_looks_like_a_broken_formula_is_drawn_as_it_is(tmp_path: Path) -> None:
    answers = Answers(logits=np.eye(3), labels=np.arange(3))
    plot_confusion(tmp_path / "confusion.png", answers, ("plain", "$x_$", r"$\evil{1}$"), most=3)
    assert (tmp_path / "confusion.png").stat().st_size > 0
