"""The same trade as a picture of its own, for a card: with its figures written out, and no page around it."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tasks.evaluation.comparison import ComparisonRow
from tasks.evaluation.tradeoff import scored
from tasks.figures.labels import Box, freest
from tasks.figures.style import INK, MUTED, bubble, canvas, colours, light_grid, title_of
from tasks.formats.roles import CANDIDATE, YARDSTICK

AREA_PER_MB = 5.0  # square points of a bubble for each megabyte
SMALLEST_AREA = 30.0
# Where a label may stand beside its bubble, best first: (right, up, horizontal and vertical alignment).
PLACES = (
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (1, 0, "left", "center"),
    (-1, 0, "right", "center"),
)
GAP = 5.0  # points between a bubble and its label


def plot_tradeoff(rows: Sequence[ComparisonRow], path: Path) -> None:
    """Accuracy of each model against p50 latency on a logarithmic axis; a bubble's area is the size on disk.

    The yardstick has a latency and a size but no accuracy: a line marks it. What the released model was packaged
    from is left out where that is drawn, for they are the same file.
    """
    models = scored(rows)
    colour = colours(row.name for row, _ in models)
    packaged = {_file(row) for row in rows if row.name == CANDIDATE}
    shown = [pair for pair in models if pair[0].name == CANDIDATE or _file(pair[0]) not in packaged]
    yardstick = next(row for row in rows if row.name == YARDSTICK)
    accuracies = [accuracy for _, accuracy in shown]
    with canvas(path, 7.6, 4.8) as (axes,):
        axes.set_xscale("log")
        axes.set_xlim(min(row.p50_ms for row, _ in shown) / 4, yardstick.p50_ms * 2.2)
        low, high = min(accuracies), max(accuracies)
        room = max(0.01, 0.35 * (high - low))
        axes.set_ylim(low - room, high + room)
        _draw_yardstick(axes, yardstick)
        for row, accuracy in sorted(shown, key=lambda pair: -pair[0].size_mb):  # small ones on top
            bubble(axes, row.p50_ms, accuracy, _area(row), colour[row.name])
        _label(axes, shown)
        axes.set_xlabel("latency of one query at p50, milliseconds (logarithmic)")
        axes.set_ylabel("accuracy on the test split")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title("Accuracy, latency and size (area of a bubble)")
        light_grid(axes)


def _file(row: ComparisonRow) -> tuple[float, float | None, float | None]:
    """What a model has in common with the one that was packaged from it: its size to the byte, and its answers."""
    return row.size_mb, row.accuracy, row.macro_f1


def _draw_yardstick(axes: Axes, yardstick: ComparisonRow) -> None:
    axes.axvline(yardstick.p50_ms, color=MUTED, linestyle="--", linewidth=1.0)
    said = f"{title_of(YARDSTICK)}\n{yardstick.p50_ms:.0f} ms, {yardstick.size_mb:.0f} MB"
    axes.annotate(
        said,
        (yardstick.p50_ms, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
        color=MUTED,
    )


def _label(axes: Axes, shown: Sequence[tuple[ComparisonRow, float]]) -> None:
    """Put each label beside its bubble, where it covers no other label and no bubble, inside the axes."""
    cast(Figure, axes.figure).draw_without_rendering()  # fixes the layout, so that boxes are known
    taken = [_bubble(axes, row, accuracy) for row, accuracy in shown]
    for row, accuracy in sorted(shown, key=lambda pair: pair[0].p50_ms):
        said = f"{title_of(row.name)}\n{100 * accuracy:.1f}%, {row.p50_ms:.2g} ms, {row.size_mb:.3g} MB"
        away = _radius(row) + GAP
        texts = [
            axes.annotate(
                said,
                (row.p50_ms, accuracy),
                xytext=(right * away, up * away),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8.5,
                color=INK,
                fontweight="bold" if row.name == CANDIDATE else "normal",
                zorder=4,
            )
            for right, up, horizontal, vertical in PLACES
        ]
        boxes: list[Box] = [text.get_window_extent().extents for text in texts]
        best = freest(boxes, taken, axes.get_window_extent().extents)
        taken.append(boxes[best])
        for text in texts[:best] + texts[best + 1 :]:
            text.remove()


def _area(row: ComparisonRow) -> float:
    return SMALLEST_AREA + AREA_PER_MB * row.size_mb


def _radius(row: ComparisonRow) -> float:
    """Radius of a bubble in points."""
    return (_area(row) / 3.14159) ** 0.5


def _bubble(axes: Axes, row: ComparisonRow, accuracy: float) -> Box:
    x, y = axes.transData.transform((row.p50_ms, accuracy))
    pixels = _radius(row) * axes.figure.dpi / 72
    return x - pixels, y - pixels, x + pixels, y + pixels
