"""The gate's evidence: the interval of the accuracy difference against the margin."""

from dataclasses import dataclass

from tasks.figures.scale import Frame, Tick
from tasks.formats.gate_verdict import GateVerdict

FRAME = Frame(width=860, height=150, left=24, right=836, top=34, bottom=106)


@dataclass(frozen=True)
class IntervalFigure:
    """The figure in pixels: left of `margin` is worse than allowed."""

    margin: Tick
    zero: float
    low: Tick
    point: Tick
    high: Tick
    ticks: tuple[Tick, ...]
    frame: Frame = FRAME


def draw_interval(verdict: GateVerdict) -> IntervalFigure:
    """Lay the figure out; the axis is in percentage points and always holds the margin and zero."""
    shares = *verdict.interval, verdict.accuracy_difference, -verdict.margin
    low, high, point, margin = (100 * share for share in shares)
    least, most = min(low, margin, point), max(high, 0.0, point)
    room = 0.12 * (most - least)
    axis = FRAME.across(least - room, most + room)
    return IntervalFigure(
        margin=Tick(axis.place(margin), f"margin {margin:+.1f}"),
        zero=axis.place(0.0),
        low=Tick(axis.place(low), f"{low:+.2f}"),
        point=Tick(axis.place(point), f"{point:+.2f}"),
        high=Tick(axis.place(high), f"{high:+.2f}"),
        ticks=axis.ticks(7),
    )
