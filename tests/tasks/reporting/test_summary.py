"""The JSON of a run, its schema, and what is printed."""

import io
import json

import pytest
from rich.console import Console

from infra.errors import ArtifactError
from tasks.evaluation.comparison import compare
from tasks.reporting.summary import RunSummary, schema_text
from tasks.reporting.table import WIDE, print_summary
from tests.conftest import ROOT
from tests.tasks.evaluation.gate.reports import benchmark, evaluation
from tests.tasks.reporting.page import ROWS, run_summary

SCHEMA = ROOT / "docs" / "report.schema.json"
PROMISED = {"flow", "verdict", "release", "seconds", "stages", "rows"}
PROMISED_STAGE = {"name", "state", "seconds", "key", "digest"}
PROMISED_ROW = {
    "name",
    "accuracy",
    "macro_f1",
    "size_mb",
    "p50_ms",
    "p95_ms",
    "rows_per_s",
    "latency_ratio",
    "size_ratio",
}


def printed(summary: RunSummary, width: int) -> str:
    """What the run prints on a terminal of `width` columns."""
    console = Console(file=io.StringIO(), width=width)
    print_summary(
        summary, console, (("Prefect", "http://127.0.0.1:4200"), ("MLflow", "http://127.0.0.1:5000"))
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_committed_schema_is_current() -> None:
    remedy = "run .venv/bin/python -m tasks.reporting.summary > docs/report.schema.json"
    assert SCHEMA.read_text(encoding="utf-8").rstrip() == schema_text(RunSummary), remedy


def test_the_promised_fields_are_there_and_required() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(schema["required"]) >= PROMISED
    assert set(schema["$defs"]["StageSummary"]["required"]) >= PROMISED_STAGE
    assert set(schema["$defs"]["ComparisonRow"]["required"]) >= PROMISED_ROW


def test_a_summary_survives_json() -> None:
    summary = run_summary()
    assert RunSummary.model_validate_json(summary.model_dump_json()) == summary
    assert summary.row("yardstick") is not None and summary.row("nobody") is None


def test_rows_come_in_their_order_with_ratios_to_yardstick_and_teacher() -> None:
    rows = {row.name: row for row in compare(evaluation(900), benchmark())}
    assert tuple(rows) == ROWS
    assert rows["yardstick"].accuracy is None and rows["yardstick"].macro_f1 is None
    assert rows["yardstick"].latency_ratio == 1 and rows["teacher"].size_ratio_teacher == 1
    assert rows["released"].latency_ratio == pytest.approx(47.2 / 0.38)
    assert rows["released"].size_ratio_teacher == pytest.approx(91.4 / 4.9)


def test_a_measured_model_that_was_not_evaluated_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="tfidf"):
        compare(evaluation(900, tfidf=None), benchmark())


@pytest.mark.parametrize("width", [80, WIDE, 120])
def test_the_table_fits_its_terminal_and_nothing_is_cut(width: int) -> None:
    text = printed(run_summary(), width)
    table = text.partition("PASS")[0]
    assert all(len(line) <= width for line in table.splitlines()) and "…" not in text
    assert all(name in table for name in ROWS) and ("p95" in table) == (width >= WIDE)


def test_verdict_reasons_and_places_are_printed_whole() -> None:
    text = printed(run_summary(), 80)
    assert "PASS: released" in text and "http://127.0.0.1:4200" in text
    assert run_summary().release in text.splitlines()[-5]  # type: ignore[operator]  # on one line, to be copied
    assert "2 of 20 stages cached" in text


def test_a_verdict_that_is_no_pass_names_no_release() -> None:
    text = printed(run_summary("needs_more_rows"), 120)
    assert "NEEDS MORE ROWS: not released" in text and "release  none" in text
