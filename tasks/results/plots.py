"""The picture of the whole chain: accuracy against latency, with size as area."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from tasks.results.roles import CANDIDATE, YARDSTICK
from tasks.results.style import INK, MUTED, canvas, colours, light_grid, title_of
from tasks.results.values import BenchmarkReport, EvaluationReport, Timing

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


def plot_tradeoff(evaluation: EvaluationReport, benchmark: BenchmarkReport, path: Path) -> None:
    """Accuracy of each model against p50 latency on a logarithmic axis; a bubble's area is the size on disk.

    The yardstick has a latency and a size but no accuracy: a line marks it. What the released model was packaged
    from is left out where that is drawn, for they are the same file. Raises ArtifactError when a model was not
    evaluated.
    """
    measured = {timing.name: timing for timing in benchmark.models if timing.name != YARDSTICK}
    shown = {
        name: timing for name, timing in measured.items() if not _is_packaged(name, measured, evaluation)
    }
    colour = colours(measured)
    yardstick = benchmark.timing(YARDSTICK)
    accuracies = {name: evaluation.scores(name).accuracy for name in shown}
    with canvas(path, 7.6, 4.8) as (axes,):
        axes.set_xscale("log")
        axes.set_xlim(min(t.p50_ms for t in shown.values()) / 4, yardstick.p50_ms * 2.2)
        low, high = min(accuracies.values()), max(accuracies.values())
        room = max(0.01, 0.35 * (high - low))
        axes.set_ylim(low - room, high + room)
        _draw_yardstick(axes, yardstick)
        for name, timing in sorted(shown.items(), key=lambda item: -item[1].size_bytes):  # small ones on top
            area = _area(timing)
            axes.scatter(
                timing.p50_ms,
                accuracies[name],
                s=area,
                color=colour[name],
                alpha=0.85,
                edgecolor="white",
                zorder=3,
            )
        _label(axes, shown, accuracies)
        axes.set_xlabel("latency of one query at p50, milliseconds (logarithmic)")
        axes.set_ylabel("accuracy on the test split")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(plain)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title("Accuracy, latency and size (area of a bubble)")
        light_grid(axes)


def _is_packaged(name: str, measured: Mapping[str, Timing], evaluation: EvaluationReport) -> bool:
    """Whether a model is the released one under another name: as large to the byte, and never of another answer."""
    if name == CANDIDATE or CANDIDATE not in measured:
        return False
    one, other = (evaluation.scores(each).model_dump(exclude={"name"}) for each in (name, CANDIDATE))
    return measured[name].size_bytes == measured[CANDIDATE].size_bytes and one == other


def _draw_yardstick(axes: Axes, yardstick: Timing) -> None:
    axes.axvline(yardstick.p50_ms, color=MUTED, linestyle="--", linewidth=1.0)
    said = f"{title_of(YARDSTICK)}\n{yardstick.p50_ms:.0f} ms, {yardstick.size_bytes / 1e6:.0f} MB"
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


def _label(axes: Axes, shown: dict[str, Timing], accuracies: dict[str, float]) -> None:
    """Put each label beside its bubble, where it covers no other label and no bubble, inside the axes."""
    cast(Figure, axes.figure).draw_without_rendering()  # fixes the layout, so that boxes are known
    taken = [_bubble(axes, timing, accuracies[name]) for name, timing in shown.items()]
    for name, timing in sorted(shown.items(), key=lambda item: item[1].p50_ms):
        figures = f"{100 * accuracies[name]:.1f}%, {timing.p50_ms:.2g} ms, {timing.size_bytes / 1e6:.3g} MB"
        said = f"{title_of(name)}\n{figures}"
        candidates = [
            _annotate(axes, said, timing, accuracies[name], place, name == CANDIDATE) for place in PLACES
        ]
        boxes = [text.get_window_extent() for text in candidates]
        costs = [_overlap(box, taken) + (0 if _inside(axes, box) else 1e6) for box in boxes]
        best = min(range(len(PLACES)), key=lambda i: (costs[i], i))
        for i, text in enumerate(candidates):
            if i != best:
                text.remove()
        taken.append(boxes[best])


def _annotate(
    axes: Axes, said: str, timing: Timing, accuracy: float, place: tuple[int, int, str, str], released: bool
) -> Annotation:
    right, up, horizontal, vertical = place
    away = _radius(timing) + GAP
    return axes.annotate(
        said,
        (timing.p50_ms, accuracy),
        xytext=(right * away, up * away),
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize=8.5,
        color=INK,
        fontweight="bold" if released else "normal",
        zorder=4,
    )


def _area(timing: Timing) -> float:
    return SMALLEST_AREA + AREA_PER_MB * timing.size_bytes / 1e6


def _radius(timing: Timing) -> float:
    """Radius of a bubble in points."""
    return (_area(timing) / 3.14159) ** 0.5


def _bubble(axes: Axes, timing: Timing, accuracy: float) -> Bbox:
    x, y = axes.transData.transform((timing.p50_ms, accuracy))
    pixels = _radius(timing) * axes.figure.dpi / 72
    return Bbox.from_extents(x - pixels, y - pixels, x + pixels, y + pixels)


def _overlap(box: Bbox, taken: list[Bbox]) -> float:
    """Square pixels of `box` that are taken already."""
    shared = (Bbox.intersection(box, other) for other in taken)
    return sum(both.width * both.height for both in shared if both is not None)


def _inside(axes: Axes, box: Bbox) -> bool:
    frame = axes.get_window_extent()
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
