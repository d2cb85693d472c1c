"""What `flows.data` prints at its end: what each filter took, the splits, where the data set lies."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.report.data_summary import DataSummary


def print_data_summary(
    summary: DataSummary, console: Console, places: tuple[tuple[str, str], ...] = ()
) -> None:
    """Print the filters, the splits and where things lie; `places` are more (what, address) pairs."""
    console.print()
    console.print(filter_table(summary))
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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for heading in ("in", "out", "dropped", "changed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in summary.filters:
        dropped = step.rows_in - step.rows_out
        counts = (f"{step.rows_in:,}", f"{step.rows_out:,}", f"{dropped:,}" if dropped else "-")
        table.add_row(step.name.replace("_", " "), *counts, f"{step.changed:,}" if step.changed else "-")
    return table
