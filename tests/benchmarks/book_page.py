"""docs/COMPRESSION.md and its picture, from what was measured."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from adjustText import adjust_text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tasks.benchmark.side_by_side import Measured, SideBySide
from tasks.results.roles import YARDSTICK
from tasks.results.style import INK, MUTED, canvas, light_grid
from tests.benchmarks.page import ratios, spread, table
from tests.benchmarks.rows import Contender

# Natural Language Processing with Transformers (Tunstall et al. 2022), chapter 8: accuracy, times faster, times smaller.
BOOK = (("BERT-base", 0.867, 1.0, 1.0), ("DistilBERT", 0.858, 1.97, 1.63), ("distilled", 0.868, 2.09, 1.63),
        ("ONNX Runtime", 0.868, 2.58, 1.63), ("PyTorch int8", 0.876, 4.32, 3.16),
        ("ONNX Runtime int8", 0.877, 5.87, 6.51))  # fmt: skip
COLOURS = {"PyTorch": "#0072b2", "ONNX Runtime": "#d55e00"}
AREA_PER_MB = 5.0
APART = 0.002


def page(found: SideBySide, rows: Sequence[Contender]) -> str:
    """The whole page."""
    yardstick = _named(found, YARDSTICK)
    cells = [
        [row.name, f"{row.accuracy:.4f}", f"{model.size_bytes / 1e6:.2f}", f"{yardstick.size_bytes / model.size_bytes:.1f}",
         spread(model.one_thread_ms, 3), spread(ratios(yardstick.one_thread_ms, model.one_thread_ms), 1),
         f"{statistics.median(ratios(yardstick.best_ms, model.best_ms)):.1f}", row.what]
        for row in rows for model in [_named(found, row.name)]
    ]  # fmt: skip
    head = ["form", "accuracy", "MB", "x smaller", "p50 ms, one thread", "x faster, one thread", "x faster, best threads",
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
        "Pruning single weights makes a graph neither smaller nor faster: ONNX Runtime stores and multiplies the zeros too. "
        "`python -m tests.benchmarks.pruned` reports what a compressed or sparse file would save.",
    ]) + "\n"  # fmt: skip


def plot(found: SideBySide, rows: Sequence[Contender], path: Path) -> None:
    """Accuracy against the factor over the yardstick on one thread; a bubble's area is the size. The book's in grey."""
    yardstick = _named(found, YARDSTICK)
    with canvas(path, 9.0, 6.4) as (axes,):
        axes.set_xscale("log")
        labels, points = [], []
        for name, accuracy, faster, smaller in BOOK:
            area = AREA_PER_MB * yardstick.size_bytes / 1e6 / smaller
            axes.scatter(faster, accuracy, s=area, color=MUTED, alpha=0.25, edgecolor="white")
            labels.append(axes.text(faster, accuracy, name, fontsize=7, color=MUTED))
            points.append((faster, accuracy))
        for place, row in enumerate(sorted(rows, key=lambda row: (row.accuracy, row.name))):
            model = _named(found, row.name)
            faster = statistics.median(ratios(yardstick.one_thread_ms, model.one_thread_ms))
            axes.scatter(faster, row.accuracy, s=20 + AREA_PER_MB * model.size_bytes / 1e6, color=COLOURS[row.group],
                         alpha=0.8, edgecolor="white", zorder=3)  # fmt: skip
            said = f"{row.name} {model.size_bytes / 1e6:.3g} MB"
            # Labels of equal points must not begin at one place: nothing would tell them apart.
            begin = row.accuracy + APART * (place - len(rows) / 2)
            labels.append(axes.text(faster, begin, said, fontsize=7, color=INK, zorder=4))
            points.append((faster, row.accuracy))
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(0.5, axes.get_xlim()[1] * 2.0)
        axes.margins(y=0.12)
        axes.set_xlabel("times faster than BERT-base, one thread (logarithmic)")
        axes.set_ylabel("accuracy on the test split")
        axes.set_title("One student in every form (area: megabytes; grey: the book's)")
        light_grid(axes)
        arrows = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6}
        across, up = zip(*points, strict=True)
        adjust_text(
            labels, target_x=across, target_y=up, ax=axes, expand=(1.1, 1.4), arrowprops=arrows, iter_lim=2000
        )


def _named(found: SideBySide, name: str) -> Measured:
    return next(model for model in found.models if model.name == name)
