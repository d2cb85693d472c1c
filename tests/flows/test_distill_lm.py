"""`flows.distill_lm` through the real Prefect, on a tiny encoder: rows, figures, cached, opened by others."""

import json
from pathlib import Path

import jsonschema
import pytest
from transformers import pipeline

from infra.settings import get_settings
from tasks.reporting.distill_summary import (
    PLAIN_UNDISTILLED,
    RANDOM,
    STUDENT,
    TEACHER,
    UNDISTILLED,
    DistillLmSummary,
)
from tests.conftest import ROOT
from tests.flows.tiny import write_tiny

pytestmark = pytest.mark.slow
ASKED = {
    "pack.length": 16, "general.length": 16, "masks.documents": 40, "head.steps": 10, "adapt.steps": 40, "adapt.batch-size": 8,
    "distill.steps": 60, "distill.batch-size": 8, "distill.learning-rate": 3e-3, "distill.evaluate-every": 20, "ablate": "true",
    "adapt.mixed-precision": "no", "head.mixed-precision": "no", "distill.mixed-precision": "no",
    "evaluate.texts": '["show my [MASK]"]', "dataset.test-share": 0.25, "name": "tiny",
    "probe.labels": "[60]", "probe.seeds": 2,
    "fine-tune.labels": "[60]", "fine-tune.seeds": 2, "fine-tune.epochs": 1, "bodies.rounds": 6, "bodies.timed": 2,
    "bodies.batch-sizes": "[1]", "bodies.tokens": 16,
}  # fmt: skip


def ran(report: Path, *arguments: str) -> DistillLmSummary:
    from flows.configs.distill_lm import COMMAND

    assert COMMAND.main([*arguments, "--report", str(report)]) == 0
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads((ROOT / "docs" / "distill-lm-report.schema.json").read_text()))
    return DistillLmSummary.model_validate(written)


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_student_is_distilled_and_measured_beside_what_it_would_be_without(tmp_path: Path) -> None:
    tiny = write_tiny(tmp_path)
    given = {"extract.table": tiny.table, "base.source": tiny.base, **ASKED}
    asked = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    first = ran(tmp_path / "first.json", *asked)
    rows = {row.name: row for row in first.distill_lm.rows}
    without = ["without masked lm", "without kl", "without cosine"]
    assert list(rows) == [TEACHER, STUDENT, UNDISTILLED, PLAIN_UNDISTILLED, RANDOM, *without]
    teacher, student = rows[TEACHER], rows[STUDENT]
    assert student.layer_parameters < teacher.layer_parameters
    assert student.perplexity < rows[UNDISTILLED].perplexity
    assert student.panel and student.latency_ms and student.over_undistilled_interval
    assert rows[RANDOM].panel_seeds == 1 and rows[RANDOM].over_undistilled_interval is None
    assert {one.name for one in first.distill_lm.ablation_probes} == {STUDENT, *without}
    stage, key = first.distill_lm.checkpoint.removeprefix("artifact:").split("/")
    folder = get_settings().artifacts / stage / key
    assert pipeline("fill-mask", model=str(folder), device="cpu")("show my [MASK]")[0]["token_str"]
    page = Path(first.report).read_text()
    for text in (
        "Teacher and student",
        f"{student.perplexity:,.1f}",
        "Fine-tuned alike, on a panel",
        "without cosine",
    ):
        assert text in page, text
    second = ran(tmp_path / "second.json", *asked)
    assert {stage.state for stage in second.stages} == {"cached"}
    assert second.distill_lm == first.distill_lm
    from flows.configs.end_to_end import COMMAND

    base = first.distill_lm.checkpoint[: len("artifact:distill_lm/") + 8]
    assert COMMAND.main([*tiny.arguments(base__source=base), "--dry-run"]) == 0
