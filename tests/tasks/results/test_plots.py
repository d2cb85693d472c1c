from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.results.plots import plot_tradeoff
from tasks.results.values import BenchmarkReport, EvaluationReport
from tests.tasks.deploy import reports


def test_the_picture_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot_tradeoff(reports.evaluation(100), reports.benchmark(), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_without_scores_is_named(tmp_path: Path) -> None:
    evaluation: EvaluationReport = reports.evaluation(100)
    benchmark: BenchmarkReport = reports.benchmark()
    with pytest.raises(ArtifactError, match="teacher"):
        plot_tradeoff(
            evaluation.model_copy(
                update={"models": tuple(m for m in evaluation.models if m.name != "teacher")}
            ),
            benchmark,
            tmp_path / "plot.png",
        )
