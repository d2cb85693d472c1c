"""What the n-grams have to show: their perplexities, and what the mixture reads."""

from pathlib import Path

from tasks.formats.model_facts import read_json
from tasks.formats.report_file import REPORT_FILE
from tasks.formats.section import Column, Section, Table

SHOWN = {
    "unigram": ("how often each token is", "nothing"),
    "two_sided_hidden": (
        "from both sides, hidden",
        "what the model sees: hidden neighbours hidden, and what the position itself shows",
    ),
    "two_sided_clean": (
        "from both sides, clean",
        "the true neighbours, which the model does not see, and what the position itself shows",
    ),
    "context_hidden": (
        "context alone, hidden",
        "what the model sees, but for what the position itself shows",
    ),
    "context_clean": ("context alone, clean", "the true neighbours alone"),
}
PERPLEXITIES = (
    Column(name="name", heading="n-grams"),
    Column(name="perplexity", heading="perplexity", places=2),
    Column(name="sees", heading="what they see"),
)
COLUMNS = (
    Column(name="window", heading="window"),
    Column(name="known", heading="known", places=3, meter=True),
    Column(name="share", heading="share of the mixture", places=3, meter=True),
)


def ngram_section(folder: Path) -> Section:
    """A row a perplexity, a row a window."""
    found = read_json(folder / REPORT_FILE)
    measured = tuple(
        {"name": name, "perplexity": found[field], "sees": sees} for field, (name, sees) in SHOWN.items()
    )
    rows = tuple({name: row[name] for name in ("window", "known", "share")} for row in found["windows"])
    return Section(
        title="Baseline: n-grams from both sides",
        tables=(
            Table(columns=PERPLEXITIES, rows=measured, strong=(SHOWN["two_sided_hidden"][0],)),
            Table(columns=COLUMNS, rows=rows, title="Windows, and their shares of the mixture", folded=True),
        ),
        notes=(
            "Of the hidden tokens of the test split; weights are chosen on validation. Of a window, _ is the hidden token, w a "
            "neighbour that is read, . one that is passed over; known is the share of validation's positions whose neighbours "
            "stood in training.",
        ),
    )
