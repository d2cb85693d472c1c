"""What `flows.adapt` prints at its end: perplexities beside those of n-grams, fills before and after, blocks."""

from rich.console import Console

from tasks.reporting.adapt_page import perplexities
from tasks.reporting.adapt_summary import AdaptSummary
from tasks.reporting.table import as_rich, print_end


def print_adapted(summary: AdaptSummary, console: Console, places: tuple[tuple[str, str], ...] = ()) -> None:
    """Print the table, the fills and where things lie; `places` are more (what, address) pairs."""
    found = summary.adapt
    console.print()
    console.print(as_rich(perplexities(found), minor=False))
    lines = []
    for before, after in zip(found.fills["before"], found.fills["after"], strict=True):
        lines += [("text", before.text)]
        lines += [
            (name, ", ".join(f"{fill.token} {fill.probability:.2f}" for fill in filled.fills))
            for name, filled in (("before", before), ("after", after))
        ]
    blocks = found.blocks
    lines.append(
        ("blocks", f"{blocks.train:,} of {blocks.tokens:,} tokens, {blocks.dropped:,} tokens dropped; by the thousand rows "
                   f"{blocks.dropped_by_the_thousand:,} blocks fewer")
    )  # fmt: skip
    for how, chosen in found.recommended.items():
        lines += [(f"{one.labels:,} labels, {how}", f"take {one.take}: {one.because}") for one in chosen]
    lines += [
        ("checkpoint", found.checkpoint),
        ("on the Hub", summary.published.path),
        ("report", summary.report),
    ]
    print_end(summary, lines, places, console)
