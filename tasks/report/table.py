"""What a run prints at its end: one table, the verdict with its reasons, where everything lies."""

from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.report.summary import RunSummary
from tasks.results.comparison import ComparisonRow

WIDE = 118  # columns of a terminal that the whole table needs
STYLES = {"pass": "bold green", "fail": "bold red", "needs_more_rows": "bold yellow"}
HEADLINES = {
    "pass": "PASS: released",
    "fail": "FAIL: not released",
    "needs_more_rows": "NEEDS MORE ROWS: not released",
}
TAKEN_DOWN = "PASS: not released again"


@dataclass(frozen=True)
class Column:
    """A column of the table; one that is not `narrow` is left out where the terminal is."""

    heading: str
    show: Callable[[ComparisonRow], str]
    narrow: bool = True


COLUMNS = (
    Column("accuracy", lambda row: share(row.accuracy)),
    Column("macro F1", lambda row: share(row.macro_f1)),
    Column("MB", lambda row: f"{row.size_mb:,.2f}"),
    Column("p50 ms", lambda row: f"{row.p50_ms:,.2f}"),
    Column("p95 ms", lambda row: f"{row.p95_ms:,.2f}", narrow=False),
    Column("rows/s", lambda row: f"{row.rows_per_s:,.0f}"),
    Column("x faster\nBERT-base", lambda row: times(row.latency_ratio)),
    Column("x smaller\nBERT-base", lambda row: times(row.size_ratio)),
    Column("x faster\nteacher", lambda row: times(row.latency_ratio_teacher), narrow=False),
    Column("x smaller\nteacher", lambda row: times(row.size_ratio_teacher), narrow=False),
)


def print_summary(summary: RunSummary, console: Console, places: tuple[tuple[str, str], ...] = ()) -> None:
    """Print the table, the verdict and where things lie; `places` are more (what, address) pairs."""
    console.print()
    console.print(comparison_table(summary.rows, console.width))
    taken_down = summary.verdict == "pass" and summary.release is None
    console.print(
        Text(TAKEN_DOWN if taken_down else HEADLINES[summary.verdict], style=STYLES[summary.verdict])
    )
    for reason in summary.gate.reasons if summary.gate else ():
        console.print(Text(f"  {reason}"))
    if summary.record and summary.record.note:
        console.print(Text(f"  {summary.record.note}", style="bold yellow"))
    if summary.record and summary.record.unregistered:
        console.print(Text(f"  {summary.record.unregistered}", style="bold red"))
    console.print()
    cached = sum(stage.state == "cached" for stage in summary.stages)
    took = f"{summary.seconds:.0f} s, {cached} of {len(summary.stages)} stages cached"
    lines = [
        ("release", summary.release or "none"),
        ("report", summary.report or "none"),
        ("took", took),
        *places,
    ]
    width = max(len(what) for what, _ in lines)
    for what, where in lines:
        # Paths are not wrapped, so that they can be copied whole.
        console.print(
            Text(f"  {what:<{width}}  ", style="dim").append(where, style="not dim"), soft_wrap=True
        )


def comparison_table(rows: tuple[ComparisonRow, ...], width: int = WIDE) -> Table:
    """The rows as a table that fits `width` columns of text, 80 at least."""
    columns = [column for column in COLUMNS if column.narrow or width >= WIDE]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0) if width < WIDE else (0, 1))
    table.add_column("model", vertical="bottom", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right", vertical="bottom", no_wrap=True)
    for row in rows:
        style = "bold" if row.name == "released" else None
        table.add_row(row.name, *(column.show(row) for column in columns), style=style)
    return table


def share(value: float | None) -> str:
    """A share with four decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"


def times(value: float) -> str:
    """A ratio: 124.2."""
    return f"{value:,.1f}"
