"""What `flows.data` prints at its end: what each filter took, the splits, where the data set lies."""

from rich.console import Console
from rich.text import Text

from tasks.data.curation.section import steps_table
from tasks.reporting.data_summary import DataSummary
from tasks.reporting.table import as_rich, print_end


def print_data_summary(
    summary: DataSummary, console: Console, places: tuple[tuple[str, str], ...] = ()
) -> None:
    """Print the filters, the splits and where things lie; `places` are more (what, address) pairs."""
    console.print()
    console.print(as_rich(steps_table(summary.filters), minor=False))
    for warning in summary.warnings:
        console.print(Text(f"  {warning}", style="yellow"))
    splits = ", ".join(f"{split} {rows:,}" for split, rows in summary.splits.items())
    lines = (
        ("rows", f"{summary.rows_in:,} in, {summary.rows_out:,} out: {splits}"),
        ("data set", f"{summary.dataset.repo} at {summary.dataset.revision[:12]}"),
        ("lies in", summary.dataset.path),
    )
    print_end(summary, lines, places, console)
