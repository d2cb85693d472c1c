"""What `flows.pretrain` prints at its end: bits a byte beside n-grams, and where things lie."""

from rich.console import Console

from tasks.reporting.pretrain_page import bits_table, pretrain_headline
from tasks.reporting.pretrain_summary import PretrainSummary
from tasks.reporting.table import as_rich, print_end


def print_pretrained(
    summary: PretrainSummary, console: Console, places: tuple[tuple[str, str], ...] = ()
) -> None:
    """Print the table, what it comes to and where things lie; `places` are more (what, address) pairs."""
    found, told = summary.pretrain, pretrain_headline(summary.pretrain)
    written = found.completions
    console.print()
    console.print(as_rich(bits_table(found), minor=False))
    lines = [
        ("result", f"{told.verdict}; {told.lead}"),
        (
            "writes",
            f"{written.parsed:.0%} of {written.prompts:,} completions are Python with a real body, "
            f"{written.distinct:.0%} of these different",
        ),
        ("trained", f"{found.tokens_per_second:,.0f} tokens a second; {found.parameters:,} parameters"),
        ("model", found.model),
        ("on the Hub", f"{summary.published.repo} at {summary.published.revision[:12]}"),
        ("try it", f'stillhouse complete {found.model} --prompt "def read_lines(path):"'),
        ("report", summary.report),
    ]
    print_end(summary, lines, places, console)
