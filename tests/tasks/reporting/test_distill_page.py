"""The page and the table of `flows.distill_lm`: what is measured is said, and what is not is a dash."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tasks.formats.bodies_report import BodiesReport, BodyLatency, BodyTiming
from tasks.formats.lm_report import EvaluatedLm, LmEvaluation
from tasks.formats.panel_report import PanelReport, PanelRow
from tasks.formats.report_file import write_report
from tasks.reporting.distill_page import distill_headline, distill_section, row_of
from tasks.reporting.distill_summary import (
    STUDENT,
    TEACHER,
    UNDISTILLED,
    Distilled,
    DistillLmSummary,
    distilled,
)
from tasks.reporting.distill_table import print_distilled
from tasks.reporting.html import Page, render_report
from tasks.reporting.summary import schema_text
from tests.conftest import ROOT

URIS = {
    "checkpoint": "artifact:distill_lm/c2",
    "evaluation": "artifact:evaluate_lm/14",
    "bodies": "artifact:time_bodies/1",
}
WITHOUT = "without kl"


def timing(name: str, one: float, many: float, speedup: float) -> BodyTiming:
    latencies = tuple(
        BodyLatency(batch_size=size, latency_ms=ms, round_p50_ms=(ms,), speedup=speedup)
        for size, ms in ((1, one), (32, many))
    )
    return BodyTiming(
        name=name, runtime="torch", architecture="bert", layers=6, parameters=20, layer_parameters=10, weight_bytes=80,
        latencies=latencies,
    )  # fmt: skip


def measured(folder: Path, keeps: float | None = 0.975) -> Distilled:
    """A run that somebody could have had; `keeps` is what the student keeps for sure, None for a run without a panel."""
    models = tuple(
        EvaluatedLm(name=name, loss=3.0, perplexity=perplexity, filled=(), parameters=size, layer_parameters=size // 2)
        for name, perplexity, size in (
            (TEACHER, 30.0, 22_000_000), (STUDENT, 42.5, 17_000_000),
            (UNDISTILLED, 99.0, 17_000_000), (WITHOUT, 44.0, 17_000_000),
        )
    )  # fmt: skip
    bodies = BodiesReport(
        reference=TEACHER, tokens=128, warmups=1, timed=12, rounds=15, threads=2, cpu="cpu", cpu_flags=(), cores=2,
        idle_cpu_share=0.0, models=(timing(TEACHER, 10.0, 300.0, 1.0), timing(STUDENT, 5.3, 160.0, 1.88)),
    )  # fmt: skip
    folders = {name: folder / name for name in ("evaluation", "bodies")}
    reports = {"evaluation": LmEvaluation(documents=10, hidden=100, models=models), "bodies": bodies}
    if keeps is not None:
        rows = [(TEACHER, 0.8, 1.0, 1.0, 0.1, (0.05, 0.15)), (STUDENT, 0.79, 0.9875, keeps, 0.09, (0.04, 0.14)),
                (UNDISTILLED, 0.7, 0.875, 0.8, None, None)]  # fmt: skip
        reports["panel"] = PanelReport(confidence=0.95, test_rows={"films": 2_000}, labels={"films": 2_000}, rows=tuple(
            PanelRow(name=name, score=score, sets={"films": score}, seeds=3, retained=retained, keeps=kept,
                     over_undistilled=over, interval=interval)
            for name, score, retained, kept, over, interval in rows))  # fmt: skip
        folders["panel"] = folder / "panel"
    for name, report in reports.items():
        folders[name].mkdir()
        write_report(folders[name], report)
    return distilled(URIS, folders)


@pytest.mark.parametrize(("keeps", "mark"), [(0.975, "pass"), (0.96, "unsure")])
def test_the_verdict_is_97_per_cent_for_sure_and_above_the_undistilled(
    keeps: float, mark: str, tmp_path: Path
) -> None:
    told = distill_headline(measured(tmp_path, keeps))
    assert told.mark == mark
    assert told.verdict == "Keeps 98.8% of its teacher's panel"
    assert told.lead == "+9.0 points [+4.0, +14.0] over the undistilled student, above it for sure."
    assert ("1.88x", "as fast") in [(tile.figure, tile.label) for tile in told.tiles]


def test_without_a_panel_nothing_is_claimed(tmp_path: Path) -> None:
    found = measured(tmp_path, None)
    told = distill_headline(found)
    assert (told.verdict, told.mark) == ("Not measured on a panel", "unsure")
    assert row_of(found, STUDENT).panel is None
    assert "no rows with labels" in told.lead


def test_a_row_without_a_term_has_its_perplexity_and_nothing_else(tmp_path: Path) -> None:
    row = row_of(measured(tmp_path), WITHOUT)
    assert (row.perplexity, row.panel, row.latency_ms) == (44.0, None, None)
    (table,) = distill_section(measured_again(tmp_path)).tables
    assert table.rows[3]["retained"] == "–" and table.rows[1]["ms 32"] == 160.0


def measured_again(folder: Path) -> Distilled:
    (folder / "again").mkdir()
    return measured(folder / "again")


def test_the_page_and_the_terminal_have_the_rows(tmp_path: Path) -> None:
    found = measured(tmp_path)
    summary = DistillLmSummary(
        flow="distill_lm", distill_lm=found, stages=(), seconds=3.0, report="report.html"
    )
    page = Page("films", summary, distill_headline(found), before=(distill_section(found),))
    text = render_report(page, tmp_path / "report.html").read_text()
    console = Console(file=io.StringIO(), width=160)
    print_distilled(summary, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in (text, printed):
        for word in (TEACHER, UNDISTILLED, WITHOUT, "42.50", "+9.0 [+4.0, +14.0]"):
            assert word in shown, word
    assert found.checkpoint in printed


def test_the_committed_schema_is_current() -> None:
    remedy = "run .venv/bin/python -m tasks.reporting.distill_summary > docs/distill-lm-report.schema.json"
    committed = (ROOT / "docs" / "distill-lm-report.schema.json").read_text(encoding="utf-8")
    assert committed.rstrip() == schema_text(DistillLmSummary), remedy
