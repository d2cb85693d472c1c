"""What the gate has to show: its evidence."""

from pathlib import Path

from tasks.evaluation.gate.reasons import points
from tasks.formats.gate_verdict import GateVerdict
from tasks.formats.report_file import REPORT_FILE, read_report
from tasks.formats.section import Column, Fact, Figure, Section, Table

GATE_READS = (REPORT_FILE,)
FALLS = (
    Column(name="label", heading="label"),
    Column(name="rows", heading="rows"),
    Column(name="recall_difference", heading="recall", places=3),
    Column(name="p_value", heading="p"),
)


def gate_section(folder: Path) -> Section:
    """The interval against the margin, and what else the verdict stands on. Its reasons are the run's headline."""
    from tasks.figures.interval import draw_interval
    from tasks.figures.svg import as_svg

    verdict = read_report(folder, GateVerdict)
    drawing = as_svg("interval", draw_interval(verdict), verdict.verdict)
    falls = tuple(fall.model_dump() for fall in verdict.failed_classes)
    failed = Table(title="Classes that lost more than the floor", columns=FALLS, rows=falls, narrow=True)
    return Section(
        title="Gate",
        facts=_facts(verdict),
        tables=(failed,) if falls else (),
        notes=(f"The interval is the score interval over {verdict.rows:,} paired test rows, two-sided.",),
        figures=(Figure(title=f"{verdict.candidate} against {verdict.reference}", svg=drawing),),
    )


def _facts(verdict: GateVerdict) -> tuple[Fact, ...]:
    low, high = (100 * bound for bound in verdict.bootstrap_interval)
    needed = verdict.rows_needed
    facts = (
        Fact(label="difference", value=points(verdict.accuracy_difference), hint=f"margin {points(-verdict.margin)}"),
        Fact(label="confidence", value=100 * verdict.confidence, unit="%",
             hint=f"by paired bootstrap {low:+.2f} to {high:+.2f}"),
        Fact(label="power", value=100 * verdict.power, unit="%", places=0,
             hint="chance that an equally accurate model passes on these rows"),
        Fact(label="McNemar's p", value=f"{verdict.mcnemar_p:.2g}", hint="exact test of equal accuracy"),
    )  # fmt: skip
    if needed is None:
        return facts
    return (*facts, Fact(label="would decide", value=needed, unit="test rows", hint="about"))
