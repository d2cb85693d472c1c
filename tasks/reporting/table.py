"""What a run prints at its end: one table, the verdict with its reasons, where everything lies."""

from collections.abc import Iterable
from typing import Literal

import rich.table
from rich import box
from rich.console import Console
from rich.text import Text

from tasks.evaluation.comparison import comparison_table
from tasks.formats.section import MISSING, Table
from tasks.reporting.summary import RunSummary, Summary

WIDE = 144  # columns of a terminal that the whole table needs
STYLES = {"pass": "bold green", "fail": "bold red", "needs_more_rows": "bold yellow"}
HEADLINES = {
    "pass": "PASS: released",
    "fail": "FAIL: not released",
    "needs_more_rows": "NEEDS MORE ROWS: not released",
}
TAKEN_DOWN = "PASS: not released again"


def print_summary(summary: RunSummary, console: Console, places: tuple[tuple[str, str], ...] = ()) -> None:
    """Print the table, the verdict and where things lie; `places` are more (what, address) pairs."""
    console.print()
    wide = console.width >= WIDE
    console.print(
        as_rich(
            comparison_table(summary.rows, summary.shares), minor=wide, padding=(0, 1) if wide else (0, 0)
        )
    )
    said = TAKEN_DOWN if summary.taken_down else HEADLINES[summary.verdict]
    console.print(Text(said, style=STYLES[summary.verdict]))
    for reason in summary.gate.reasons if summary.gate else ():
        console.print(Text(f"  {reason}"))
    if summary.record and summary.record.note:
        console.print(Text(f"  {summary.record.note}", style="bold yellow"))
    if summary.record and summary.record.unregistered:
        console.print(Text(f"  {summary.record.unregistered}", style="bold red"))
    console.print()
    lines = (("release", summary.release or "none"), ("report", summary.report or "none"))
    print_end(summary, lines, places, console)


def print_end(
    summary: Summary,
    lines: Iterable[tuple[str, str]],
    places: tuple[tuple[str, str], ...],
    console: Console,
) -> None:
    """Print pairs of (what, where or how much) under each other, how long the run took among them."""
    cached = sum(stage.state == "cached" for stage in summary.stages)
    took = ("took", f"{summary.seconds:.0f} s, {cached} of {len(summary.stages)} stages cached")
    whole = (*lines, took, *places)
    width = max(len(what) for what, _ in whole)
    for what, where in whole:
        # Paths are not wrapped, so that they can be copied whole.
        console.print(
            Text(f"  {what:<{width}}  ", style="dim").append(where, style="not dim"), soft_wrap=True
        )


def as_rich(table: Table, minor: bool = True, padding: tuple[int, int] = (0, 1)) -> rich.table.Table:
    """A table for the terminal; without `minor`, columns that can be spared are left out. Cells are text, never markup."""
    columns = [column for column in table.columns if minor or not column.minor]
    drawn = rich.table.Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding)
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if number and table.is_number(column) else "left"
        drawn.add_column(column.heading, justify=justify, vertical="bottom", no_wrap=True)
    for row in table.rows:
        style = "bold" if table.mark(row) == "strong" else None
        cells = (column.text(row).replace(MISSING, "-") for column in columns)
        drawn.add_row(*(Text(cell) for cell in cells), style=style)
    return drawn
