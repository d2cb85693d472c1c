"""The trade-off: labels that do not cover each other, on the page and as a picture of its own."""

from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.evaluation.comparison import compare
from tasks.evaluation.tradeoff import LETTER, draw_tradeoff
from tasks.evaluation.tradeoff_plot import plot_tradeoff
from tests.tasks.evaluation.gate.reports import benchmark, evaluation


def test_labels_of_neighbouring_models_do_not_cover_each_other() -> None:
    figure = draw_tradeoff(compare(evaluation(900), benchmark()))
    assert figure is not None and figure.yardstick is not None and len(figure.bubbles) == 6
    boxes = []
    for bubble in figure.bubbles:
        wide = LETTER * len(bubble.name)
        start = bubble.label_x - {"start": 0.0, "middle": wide / 2, "end": wide}[bubble.anchor]
        boxes.append((start, bubble.label_y - 11, start + wide, bubble.label_y + 5))
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_a_comparison_without_accuracies_has_no_figure() -> None:
    assert draw_tradeoff(compare(evaluation(900), benchmark())[1:2]) is None


def test_the_picture_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot_tradeoff(compare(evaluation(100), benchmark()), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_release_was_packaged_from_is_no_model_of_its_own(tmp_path: Path) -> None:
    rows = compare(evaluation(100), benchmark())
    plot_tradeoff(rows, tmp_path / "all.png")
    plot_tradeoff(tuple(row for row in rows if row.name != "onnx_int8"), tmp_path / "without.png")
    assert (tmp_path / "all.png").read_bytes() == (tmp_path / "without.png").read_bytes()


def test_a_model_without_scores_is_named() -> None:
    whole = evaluation(100)
    lacking = whole.model_copy(update={"models": tuple(m for m in whole.models if m.name != "teacher")})
    with pytest.raises(ArtifactError, match="teacher"):
        compare(lacking, benchmark())
