"""docs/COMPRESSION.md, from what was measured."""

import statistics

from tasks.formats.roles import YARDSTICK
from tasks.formats.shares import quality_headings, shares_note
from tasks.formats.value import Value
from tests.benchmarks.rows import Rows
from tests.benchmarks.side_by_side import Measured, SideBySide
from tests.benchmarks.tables import one_line, ratios, spread, table

BOOK_NAMED = "Natural Language Processing with Transformers, Tunstall et al. 2022, chapter 8"
# Accuracy by argmax, times faster, times smaller.
BOOK = (("BERT-base", 0.867, 1.0, 1.0), ("DistilBERT", 0.858, 1.97, 1.63), ("distilled", 0.868, 2.09, 1.63),
        ("ONNX Runtime", 0.868, 2.58, 1.63), ("PyTorch int8", 0.876, 4.32, 3.16),
        ("ONNX Runtime int8", 0.877, 5.87, 6.51))  # fmt: skip


class Compression(Value):
    """All that the page says."""

    found: SideBySide
    rows: Rows


def page(measured: Compression) -> str:
    """The whole page."""
    found, rows, shares = measured.found, measured.rows.made, measured.rows.shares
    heads = quality_headings(shares)
    yardstick = named(found, YARDSTICK)
    cells = [
        [row.name, *(f"{getattr(row.scores, name):.4f}" for name in heads),
         f"{model.size_bytes / 1e6:.2f}", f"{yardstick.size_bytes / model.size_bytes:.1f}",
         spread(model.one_thread_ms, 3), spread(ratios(yardstick.one_thread_ms, model.one_thread_ms), 1),
         f"{statistics.median(ratios(yardstick.best_ms, model.best_ms)):.1f}", row.what]
        for row in rows for model in [named(found, row.name)]
    ]  # fmt: skip
    head = ["form", *map(one_line, heads.values()), "MB",
            "x smaller", "p50 ms, one thread", "x faster, one thread", "x faster, best threads",
            "what it is"]  # fmt: skip
    return "\n\n".join([
        "# One student in every form",
        "Written by `python -m tests.benchmarks.book` from the newest release, all rows side by side in one run: "
        f"{found.rounds} rounds of {found.timed} queries, medians with the lowest and the highest. Accuracy is on the whole "
        "test split, each form with an out-of-scope rule of its own, chosen on validation. The yardstick is BERT-base in "
        f"float32 behind transformers' `pipeline`: {yardstick.size_bytes / 1e6:.0f} MB, "
        f"{spread(yardstick.one_thread_ms, 1)} ms on one thread, {spread(yardstick.best_ms, 1)} ms at its best. "
        f"Machine: {found.cpu}, {found.cores} cores. Query: \"{found.query}\"",
        "![Accuracy against latency, area by size](images/compression.png)",
        table(head, cells, left=(0, len(head) - 1)),
        *((shares_note(shares),) if shares else ()),
        f"The book ({BOOK_NAMED}), BERT-base on `plus`, by argmax: " + "; ".join(
            f"{name} {accuracy:.3f}, {faster:.2f} times faster, {smaller:.2f} times smaller"
            for name, accuracy, faster, smaller in BOOK
        ) + ". Its rows had no rule: with them compare the column without rule, of a release of `plus`.",
        "Int8 of the student's largest matrix, its word embeddings: one scale for the whole matrix leaves most of the 255 "
        "integers to a few large weights, a scale for each row, which the release has, does not.",
        "![Weights before and after int8, and the error of each row](images/affine.png)",
        "Pruning single weights makes a graph neither smaller nor faster: ONNX Runtime stores and multiplies the zeros too. "
        "`python -m tests.benchmarks.pruned` reports what a compressed or sparse file would save.",
    ]) + "\n"  # fmt: skip


def named(found: SideBySide, name: str) -> Measured:
    """The row of this name."""
    return next(model for model in found.models if model.name == name)
