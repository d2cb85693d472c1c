"""What `flows.adapt` prints at its end: perplexities beside those of n-grams, fills before and after, blocks."""

from rich.console import Console

from tasks.formats.section import Cell, Column, Table
from tasks.reporting.adapt_summary import AdaptSummary
from tasks.reporting.table import as_rich, print_end

COLUMNS = (
    Column(name="name", heading="on the same hidden tokens"),
    Column(name="perplexity", heading="perplexity", places=2),
)


def print_adapted(summary: AdaptSummary, console: Console, places: tuple[tuple[str, str], ...] = ()) -> None:
    """Print the table, the fills and where things lie; `places` are more (what, address) pairs."""
    found = summary.adapt
    measured = (
        ("unigram", found.ngram.unigram),
        ("n-grams from both sides, seeing what the model sees", found.ngram.two_sided_hidden),
        ("n-grams from both sides, seeing the true neighbours", found.ngram.two_sided_clean),
        ("before", found.perplexity.before),
        ("adapted", found.perplexity.end),
    )
    rows: tuple[dict[str, Cell], ...] = tuple({"name": name, "perplexity": value} for name, value in measured)
    console.print()
    console.print(as_rich(Table(columns=COLUMNS, rows=rows, strong=("adapted",)), minor=False))
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
    lines.append(("checkpoint", found.checkpoint))
    print_end(summary, lines, places, console)
