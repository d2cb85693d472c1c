"""What the n-grams of a causal language model have to show: bits a byte of each part, and what they are made of."""

from pathlib import Path

from tasks.formats.causal_ngram_report import CausalNgramReport, read_causal_ngrams
from tasks.formats.section import Cell, Column, Section, Table

COLUMNS = (
    Column(name="part", heading="part of the test split"),
    Column(name="static", heading="n-grams", unit="bits a byte", places=3),
    Column(name="cached", heading="with a cache", unit="bits a byte", places=3),
)
COMPONENTS = (
    Column(name="component", heading="of the mixture"),
    Column(name="share", heading="share", places=3, meter=True),
)
ORDERS = (
    Column(name="length", heading="tokens"),
    Column(name="distinct", heading="n-grams"),
    *(
        Column(name=f"after_{count}", heading=f"off a count of {count}", places=3)
        for count in ("1", "2", "3+")
    ),
)
MEAN = "repositories, mean"


def causal_ngram_section(folder: Path) -> Section:
    """A row a part, the mean of the repositories, and the mixture folded."""
    found = read_causal_ngrams(folder)
    rows: list[dict[str, Cell]] = [
        {"part": name, "static": bits.static, "cached": bits.cached} for name, bits in found.parts.items()
    ]
    if mean := found.repositories:
        rows.append({"part": MEAN, "static": mean.static, "cached": mean.cached})
    order = len(found.orders)
    return Section(
        title=f"Baseline: {order}-grams",
        tables=(
            Table(columns=COLUMNS, rows=tuple(rows), strong=(MEAN,)),
            _components(found),
            _orders(found),
        ),
        notes=(
            f"Interpolated modified Kneser-Ney of {order} tokens, counted in {found.tokens:,} tokens of the training part. The "
            "cache is of n-grams of the document read so far; its weights are chosen on the validation part.",
        ),
    )


def _components(found: CausalNgramReport) -> Table:
    names = [f"cache after {length} tokens" for length in reversed(range(len(found.shares) - 1))]
    rows = tuple(
        {"component": name, "share": share}
        for name, share in zip([*names, "n-grams"], found.shares, strict=True)
    )
    return Table(columns=COMPONENTS, rows=rows, title="The cache, and its shares of the mixture", folded=True)


def _orders(found: CausalNgramReport) -> Table:
    rows: list[dict[str, Cell]] = []
    for order in found.orders:
        taken = zip(("after_1", "after_2", "after_3+"), order.discounts, strict=True)
        rows.append({"length": order.length, "distinct": order.distinct, **dict(taken)})
    return Table(columns=ORDERS, rows=tuple(rows), title="n-grams and their discounts", folded=True)
