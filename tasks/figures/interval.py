"""The gate's evidence: the interval of the accuracy difference against the margin."""

from dataclasses import dataclass

from tasks.figures.scale import Axis, Tick
from tasks.results.values import GateVerdict

WIDTH, HEIGHT = 860, 150
LEFT, RIGHT = 24, 24


@dataclass(frozen=True)
class IntervalFigure:
    """The figure in pixels: left of `margin` is worse than allowed."""

    width: int
    height: int
    left: float
    right: float
    margin: Tick
    zero: float
    low: Tick
    point: Tick
    high: Tick
    ticks: tuple[Tick, ...]


def draw_interval(verdict: GateVerdict) -> IntervalFigure:
    """Lay the figure out; the axis is in percentage points and always holds the margin and zero."""
    low, high, point, margin = (
        100 * value for value in (*verdict.interval, verdict.accuracy_difference, -verdict.margin)
    )
    least, most = min(low, margin, point), max(high, 0.0, point)
    room = 0.12 * (most - least)
    axis = Axis(least - room, most + room, LEFT, WIDTH - RIGHT)
    return IntervalFigure(
        WIDTH, HEIGHT, LEFT, WIDTH - RIGHT,
        margin=Tick(axis.place(margin), f"margin {margin:+.1f}"),
        zero=axis.place(0.0),
        low=Tick(axis.place(low), f"{low:+.2f}"),
        point=Tick(axis.place(point), f"{point:+.2f}"),
        high=Tick(axis.place(high), f"{high:+.2f}"),
        ticks=axis.ticks(7),
    )  # fmt: skip
