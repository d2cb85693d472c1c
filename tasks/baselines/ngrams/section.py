"""What the n-grams have to show: their perplexities, and what the mixture reads."""

from pathlib import Path

from tasks.formats.model_facts import read_json
from tasks.formats.report_file import REPORT_FILE
from tasks.formats.section import Column, Fact, Section, Table

SHOWN = (
    ("unigram", "looks at nothing"),
    (
        "two_sided_hidden",
        "sees what the model sees: hidden neighbours hidden, and what the position itself shows",
    ),
    ("two_sided_clean", "sees the true neighbours, which the model does not"),
    ("context_hidden", "as two sided hidden, blind to what the position itself shows"),
    ("context_clean", "the same with the true neighbours"),
)
COLUMNS = (
    Column(name="window", heading="window"),
    Column(name="known", heading="known", places=3, meter=True),
    Column(name="share", heading="share of the mixture", places=3, meter=True),
)


def ngram_section(folder: Path) -> Section:
    """A fact a perplexity, a row a window."""
    found = read_json(folder / REPORT_FILE)
    facts = (
        Fact(label=name.replace("_", " "), value=found[name], places=1, hint=hint) for name, hint in SHOWN
    )
    rows = tuple({name: row[name] for name in ("window", "known", "share")} for row in found["windows"])
    return Section(
        title="Baseline: n-grams from both sides",
        facts=tuple(facts),
        tables=(Table(columns=COLUMNS, rows=rows, title="Windows", folded=True),),
        notes=("Perplexities of the hidden tokens of the test split; weights are chosen on validation. _ is the hidden token, "
               "w a neighbour that is read, . one that is passed over.",),
    )  # fmt: skip
