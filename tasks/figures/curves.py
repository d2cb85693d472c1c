"""Training curves: one small figure a metric, a line over the steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.figures.scale import Frame, Tick
from tasks.figures.svg import as_svg
from tasks.formats.section import Figure, words

FRAME = Frame(width=260, height=150, left=48, right=250, top=10, bottom=126)
MOST_POINTS = 240  # a line this wide shows no more


@dataclass(frozen=True)
class Curve:
    """One metric over the steps, in pixels; few points are dots on the line too."""

    name: str
    points: str
    dots: tuple[tuple[float, float], ...]
    last: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    frame: Frame = FRAME


def draw_curves(history: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Curve, ...]:
    """A figure for each metric that was logged more than once and is finite somewhere, by name."""
    finite = {
        name: [point for point in sorted(logged) if math.isfinite(point[1])]
        for name, logged in history.items()
    }
    return tuple(_draw(name, points) for name, points in sorted(finite.items()) if len(points) > 1)


def curve_figures(history: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Figure, ...]:
    """The same as figures of a section, to stand side by side."""
    return tuple(
        Figure(title=words(curve.name), svg=as_svg("curve", curve), value=curve.last, small=True)
        for curve in draw_curves(history)
    )


def _draw(name: str, points: list[tuple[int, float]]) -> Curve:
    steps, values = [step for step, _ in points], [value for _, value in points]
    room = 0.06 * (max(values) - min(values)) or abs(values[0]) * 0.1 or 1.0
    x = FRAME.across(min(steps), max(max(steps), min(steps) + 1))
    y = FRAME.up(min(values) - room, max(values) + room)
    stride = math.ceil(len(points) / MOST_POINTS)
    placed = [(x.place(step), y.place(value)) for step, value in points[:-1:stride] + points[-1:]]
    return Curve(
        name,
        points=" ".join(f"{across},{up}" for across, up in placed),
        dots=tuple(placed) if len(placed) <= 20 else (),
        last=f"{values[-1]:.4g}",
        x_ticks=tuple(tick for tick in x.ticks(4) if "." not in tick.label),
        y_ticks=y.ticks(3),
    )
