"""Training curves: one small figure a metric, a line over the steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.figures.scale import Axis, Tick
from tasks.figures.svg import as_svg
from tasks.results.section import Figure, words

WIDTH, HEIGHT = 260, 150
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 24
MOST_POINTS = 240  # a line this wide shows no more


@dataclass(frozen=True)
class Curve:
    """One metric over the steps, in pixels; a metric that was logged once has `points` of one dot."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    points: str
    dots: tuple[tuple[float, float], ...]
    last: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def draw_curves(history: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Curve, ...]:
    """A figure for each metric that was logged more than once and is finite somewhere, by name."""
    curves = []
    for name, logged in sorted(history.items()):
        points = [(step, value) for step, value in sorted(logged) if math.isfinite(value)]
        if len(points) > 1:
            curves.append(_draw(name, points))
    return tuple(curves)


def curve_figures(history: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Figure, ...]:
    """The same as figures of a section, to stand side by side."""
    return tuple(
        Figure(title=words(curve.name), svg=as_svg("curve", curve), value=curve.last, small=True)
        for curve in draw_curves(history)
    )


def _draw(name: str, points: list[tuple[int, float]]) -> Curve:
    steps, values = [step for step, _ in points], [value for _, value in points]
    room = 0.06 * (max(values) - min(values)) or abs(values[0]) * 0.1 or 1.0
    x = Axis(min(steps), max(max(steps), min(steps) + 1), LEFT, WIDTH - RIGHT)
    y = Axis(min(values) - room, max(values) + room, HEIGHT - BOTTOM, TOP)
    stride = math.ceil(len(points) / MOST_POINTS)
    shown = points[:-1:stride] + points[-1:]
    placed = [(x.place(step), y.place(value)) for step, value in shown]
    return Curve(
        name, WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM,
        points=" ".join(f"{across},{up}" for across, up in placed),
        dots=tuple(placed) if len(placed) <= 20 else (),
        last=f"{values[-1]:.4g}",
        x_ticks=tuple(tick for tick in x.ticks(4) if "." not in tick.label),
        y_ticks=y.ticks(3),
    )  # fmt: skip
