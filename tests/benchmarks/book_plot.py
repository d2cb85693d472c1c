"""The picture of docs/COMPRESSION.md: accuracy by argmax against speed, the book's figures, which are by argmax, in grey."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from adjustText import adjust_text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tasks.figures.style import INK, MUTED, canvas, light_grid
from tasks.formats.roles import YARDSTICK
from tests.benchmarks.book_page import BOOK, named
from tests.benchmarks.rows import Contender
from tests.benchmarks.side_by_side import SideBySide
from tests.benchmarks.tables import ratios

COLOURS = {"PyTorch": "#0072b2", "ONNX Runtime": "#d55e00"}
AREA_PER_MB = 5.0
APART = 0.002


def plot(found: SideBySide, rows: Sequence[Contender], path: Path) -> None:
    """Accuracy against the factor over the yardstick on one thread; a bubble's area is the size. The book's in grey."""
    yardstick = named(found, YARDSTICK)
    with canvas(path, 9.0, 6.4) as (axes,):
        axes.set_xscale("log")
        labels, points = [], []
        for name, accuracy, faster, smaller in BOOK:
            area = AREA_PER_MB * yardstick.size_bytes / 1e6 / smaller
            axes.scatter(faster, accuracy, s=area, color=MUTED, alpha=0.25, edgecolor="white")
            labels.append(axes.text(faster, accuracy, name, fontsize=7, color=MUTED))
            points.append((faster, accuracy))
        scored = sorted((row.scores.accuracy_argmax, row.name, row) for row in rows if row.scores is not None)
        for place, (accuracy, _, row) in enumerate(scored):
            model = named(found, row.name)
            faster = statistics.median(ratios(yardstick.one_thread_ms, model.one_thread_ms))
            axes.scatter(faster, accuracy, s=20 + AREA_PER_MB * model.size_bytes / 1e6, color=COLOURS[row.group],
                         alpha=0.8, edgecolor="white", zorder=3)  # fmt: skip
            said = f"{row.name} {model.size_bytes / 1e6:.3g} MB"
            # Labels of equal points must not begin at one place: nothing would tell them apart.
            begin = accuracy + APART * (place - len(rows) / 2)
            labels.append(axes.text(faster, begin, said, fontsize=7, color=INK, zorder=4))
            points.append((faster, accuracy))
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(0.5, axes.get_xlim()[1] * 2.0)
        axes.margins(y=0.12)
        axes.set_xlabel("times faster than BERT-base, one thread (logarithmic)")
        axes.set_ylabel("accuracy on the test split by argmax, no rule")
        axes.set_title("One student in every form (area: megabytes; grey: the book's)")
        light_grid(axes)
        arrows = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6}
        across, up = zip(*points, strict=True)
        adjust_text(
            labels, target_x=across, target_y=up, ax=axes, expand=(1.1, 1.4), arrowprops=arrows, iter_lim=2000
        )
