"""Training curves: one small figure a metric, a line over the steps; what training and validation share, both in one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.figures.labels import apart
from tasks.figures.scale import Axis, Frame, Tick
from tasks.figures.svg import as_svg
from tasks.formats.section import Figure, words

FRAME = Frame(width=260, height=150, left=48, right=250, top=10, bottom=126)
NAME_HEIGHT = 13.0
MOST_POINTS = 240  # a line this wide shows no more
EXPONENTIAL = "perplexity"  # it falls by factors:
WIDE = 4.0  # by more than this one, its axis is logarithmic

TRAINING, VALIDATION = "train_", "validation_"
Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Line:
    """One metric over the steps, in pixels; few points are dots on the line too. `of` is what the line is called."""

    points: str
    dots: tuple[tuple[float, float], ...]
    of: str = ""
    end: float = 0.0  # where it ends, upwards


@dataclass(frozen=True)
class Curve:
    """One metric, or the same of training and validation; `marked` is where the step is that was kept."""

    name: str
    lines: tuple[Line, ...]
    last: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marked: float | None = None
    frame: Frame = FRAME


def draw_curves(history: Mapping[str, Points], kept: int | None = None) -> tuple[Curve, ...]:
    """A figure for each metric that was logged more than once and is finite somewhere, by name.

    `train_X` and `validation_X` are drawn as X, with the step that was `kept` marked.
    """
    finite = {
        name: [point for point in sorted(logged) if math.isfinite(point[1])]
        for name, logged in history.items()
    }
    drawn = {name: points for name, points in finite.items() if len(points) > 1}
    shared = {name.removeprefix(TRAINING) for name in drawn if name.startswith(TRAINING)
              and VALIDATION + name.removeprefix(TRAINING) in drawn}  # fmt: skip
    both = {name: {"training": drawn.pop(TRAINING + name), "validation": drawn.pop(VALIDATION + name)}
            for name in shared}  # fmt: skip
    figures = both | {name: {"": points} for name, points in drawn.items()}
    return tuple(
        _draw(name, figures[name], kept if name in shared else None) for name in sorted(figures, key=_place)
    )


def _place(name: str) -> tuple[bool, str]:
    """A perplexity is what a reader looks for first."""
    return not name.endswith(EXPONENTIAL), name


def curve_figures(history: Mapping[str, Points], kept: int | None = None) -> tuple[Figure, ...]:
    """The same as figures of a section, to stand side by side."""
    return tuple(
        Figure(title=words(curve.name), svg=as_svg("curve", curve), value=curve.last, small=True)
        for curve in draw_curves(history, kept)
    )


def _draw(name: str, lines: Mapping[str, list[tuple[int, float]]], kept: int | None) -> Curve:
    steps = [step for points in lines.values() for step, _ in points]
    values = [value for points in lines.values() for _, value in points]
    x = FRAME.across(min(steps), max(max(steps), min(steps) + 1))
    y = _axis(name, min(values), max(values))
    return Curve(
        name,
        lines=_named([_line(points, x, y, of) for of, points in lines.items()]),
        last=f"{[*lines.values()][-1][-1][1]:.4g}",
        x_ticks=_whole(x),
        y_ticks=y.ticks(3),
        marked=None if kept is None else x.place(kept),
    )


def _axis(name: str, low: float, high: float) -> Axis:
    """Logarithmic for a perplexity that spans much; its values are positive."""
    if name.endswith(EXPONENTIAL) and high > WIDE * low > 0:
        room = (high / low) ** 0.06
        return FRAME.up(low / room, high * room, logarithmic=True)
    room = 0.06 * (high - low) or abs(low) * 0.1 or 1.0
    return FRAME.up(low - room, high + room)


def _whole(x: Axis) -> tuple[Tick, ...]:
    """About four ticks at whole steps, of which there may be few."""
    several = [tuple(tick for tick in x.ticks(count) if "." not in tick.label) for count in (4, 5, 2)]
    return max(several, key=lambda ticks: min(len(ticks), 2))


def _line(points: list[tuple[int, float]], x: Axis, y: Axis, of: str) -> Line:
    stride = math.ceil(len(points) / MOST_POINTS)
    placed = [(x.place(step), y.place(value)) for step, value in points[:-1:stride] + points[-1:]]
    text = " ".join(f"{across},{up}" for across, up in placed)
    return Line(text, tuple(placed) if len(placed) <= 20 else (), of, placed[-1][1])


def _named(lines: list[Line]) -> tuple[Line, ...]:
    """The names of lines that end close to each other are moved away from each other."""
    if len(lines) < 2:
        return tuple(lines)
    ends = apart([line.end for line in lines], NAME_HEIGHT, FRAME.top, FRAME.bottom)
    return tuple(replace(line, end=end) for line, end in zip(lines, ends, strict=True))
