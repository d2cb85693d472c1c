"""The trade of a small model: latency across (logarithmic), accuracy up, a bubble by size."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.evaluation.comparison import ComparisonRow
from tasks.figures.labels import Box, freest
from tasks.figures.scale import Frame, Tick
from tasks.formats.roles import BASELINE, CANDIDATE, YARDSTICK

FRAME = Frame(width=860, height=430, left=64, right=836, top=40, bottom=378)
MARKS = {CANDIDATE: "strong", BASELINE: "soft"}
LETTER, LINE = 7.2, 17  # pixels that a letter of a label takes, and a line
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}  # share of a label that is left of its place


@dataclass(frozen=True)
class Bubble:
    """One model: its circle, and where its label stands; the candidate is `strong`, the baseline `soft`."""

    name: str
    mark: str
    title: str
    x: float
    y: float
    radius: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True)
class Tradeoff:
    """The figure in pixels; the yardstick has no accuracy and is a line."""

    bubbles: tuple[Bubble, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    yardstick: Tick | None
    frame: Frame = FRAME


def draw_tradeoff(rows: Sequence[ComparisonRow]) -> Tradeoff | None:
    """Lay the figure out; None when no model has an accuracy."""
    models = scored(rows)
    if not models:
        return None
    latencies, accuracies = [row.p50_ms for row in rows], [accuracy for _, accuracy in models]
    x = FRAME.across(min(latencies) / 1.6, max(latencies) * 1.6, logarithmic=True)
    low, high = min(accuracies), max(accuracies)
    room = max(0.25 * (high - low), 0.005)
    y = FRAME.up(low - room, high + room)
    largest = max(row.size_mb for row, _ in models)
    circles = [
        (row, x.place(row.p50_ms), y.place(accuracy), round(5 + 25 * math.sqrt(row.size_mb / largest), 1))
        for row, accuracy in models
    ]
    lines = [
        Tick(x.place(row.p50_ms), f"BERT-base {row.p50_ms:.0f} ms, {row.size_mb:.0f} MB")
        for row in rows
        if row.name == YARDSTICK
    ]
    return Tradeoff(_labelled(circles), x.ticks(), y.ticks(), lines[0] if lines else None)


def scored(rows: Sequence[ComparisonRow]) -> list[tuple[ComparisonRow, float]]:
    """The rows that have an accuracy, with it."""
    return [(row, row.accuracy) for row in rows if row.accuracy is not None]


def _labelled(circles: list[tuple[ComparisonRow, float, float, float]]) -> tuple[Bubble, ...]:
    """Give each circle a label beside it, where no other label or circle is yet. On top is who comes last."""
    taken: list[Box] = [(x - 0.8 * r, y - 0.8 * r, x + 0.8 * r, y + 0.8 * r) for _, x, y, r in circles]
    bubbles = []
    for row, x, y, radius in sorted(circles, key=lambda circle: (circle[2], circle[1])):
        places = list(_places(x, y, radius + 6))
        boxes = [_box(row.name, *place) for place in places]
        best = freest(boxes, taken, (FRAME.left, FRAME.top, FRAME.right, FRAME.bottom))
        taken.append(boxes[best])
        title = f"{row.name}: {row.accuracy:.4f}, {row.p50_ms:.2f} ms, {row.size_mb:.2f} MB"
        bubbles.append(Bubble(row.name, MARKS.get(row.name, ""), title, x, y, radius, *places[best]))
    return tuple(sorted(bubbles, key=lambda bubble: (bubble.name == CANDIDATE, -bubble.radius)))


def _places(x: float, y: float, away: float) -> Iterator[tuple[float, float, str]]:
    """Places for a label beside, above and below a circle, the nearest first: x, y of its base line, and its anchor."""
    for off in range(0, 8 * LINE, LINE):
        for down in dict.fromkeys((-off, off)):
            yield round(x + away, 1), round(y + down, 1), "start"
            yield round(x - away, 1), round(y + down, 1), "end"
        yield x, round(y - away - off, 1), "middle"
        yield x, round(y + away + 8 + off, 1), "middle"


def _box(name: str, x: float, y: float, anchor: str) -> Box:
    """What a label covers, about."""
    start = x - ANCHORS[anchor] * LETTER * len(name)
    return start, y - 11, start + LETTER * len(name), y + 5
