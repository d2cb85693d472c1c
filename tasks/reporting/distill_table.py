"""What `flows.distill_lm` prints at its end: a row a model, and where things lie."""

from rich.console import Console

from tasks.reporting.distill_page import distill_headline, models_table
from tasks.reporting.distill_summary import DistillLmSummary
from tasks.reporting.table import as_rich, print_end


def print_distilled(
    summary: DistillLmSummary, console: Console, places: tuple[tuple[str, str], ...] = ()
) -> None:
    """Print the table, what it comes to and where things lie; `places` are more (what, address) pairs."""
    found = summary.distill_lm
    told = distill_headline(found)
    console.print()
    console.print(as_rich(models_table(found), minor=False))
    lines = [
        ("student", f"{told.verdict}; {told.lead}"),
        ("checkpoint", found.checkpoint),
        ("report", summary.report),
    ]
    print_end(summary, lines, places, console)
