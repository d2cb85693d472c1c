"""What `flows.data` prints at its end: what each filter took, the splits, where the data set lies."""

from rich.console import Console
from rich.text import Text

from tasks.report.data_summary import DataSummary
from tasks.report.table import as_rich
from tasks.results.section import Column, Table, words


def print_data_summary(
    summary: DataSummary, console: Console, places: tuple[tuple[str, str], ...] = ()
) -> None:
    """Print the filters, the splits and where things lie; `places` are more (what, address) pairs."""
    console.print()
    console.print(as_rich(filter_table(summary)))
    for warning in summary.warnings:
        console.print(Text(f"  {warning}", style="yellow"))
    splits = ", ".join(f"{split} {rows:,}" for split, rows in summary.splits.items())
    cached = sum(stage.state == "cached" for stage in summary.stages)
    lines = [
        ("rows", f"{summary.rows_in:,} in, {summary.rows_out:,} out: {splits}"),
        ("data set", f"{summary.dataset.repo} at {summary.dataset.revision[:12]}"),
        ("lies in", summary.dataset.path),
        ("took", f"{summary.seconds:.0f} s, {cached} of {len(summary.stages)} stages cached"),
        *places,
    ]
    width = max(len(what) for what, _ in lines)
    for what, where in lines:
        # Paths are not wrapped, so that they can be copied whole.
        console.print(
            Text(f"  {what:<{width}}  ", style="dim").append(where, style="not dim"), soft_wrap=True
        )


def filter_table(summary: DataSummary) -> Table:
    """Rows in and out of each step of curation."""
    rows = [
        {
            "step": words(step.name),
            "in": step.rows_in,
            "out": step.rows_out,
            "dropped": step.rows_in - step.rows_out or None,
            "changed": step.changed or None,
        }
        for step in summary.filters
    ]
    columns = tuple(Column(name=name, heading=name) for name in ("step", "in", "out", "dropped", "changed"))
    return Table(columns=columns, rows=tuple(rows))
