"""The trade of a small model: latency across (logarithmic), accuracy up, a bubble by size."""

import math
from dataclasses import dataclass

from tasks.figures.scale import Axis, Tick
from tasks.results.comparison import ComparisonRow
from tasks.results.roles import BASELINE, CANDIDATE, YARDSTICK

WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 52
MARKS = {CANDIDATE: "strong", BASELINE: "soft"}
LETTER, LINE = 7.2, 17  # pixels that a letter of a label takes, and a line


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

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    bubbles: tuple[Bubble, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    yardstick: Tick | None


def draw_tradeoff(rows: tuple[ComparisonRow, ...]) -> Tradeoff | None:
    """Lay the figure out; None when no model has an accuracy."""
    scored = [(row, row.accuracy) for row in rows if row.accuracy is not None]
    if not scored:
        return None
    x = Axis(
        min(row.p50_ms for row in rows) / 1.6,
        max(row.p50_ms for row in rows) * 1.6,
        LEFT,
        WIDTH - RIGHT,
        True,
    )
    low, high = min(accuracy for _, accuracy in scored), max(accuracy for _, accuracy in scored)
    room = max(0.25 * (high - low), 0.005)
    y = Axis(low - room, high + room, HEIGHT - BOTTOM, TOP)
    largest = max(row.size_mb for row, _ in scored)
    circles = [
        (row, x.place(row.p50_ms), y.place(accuracy), round(5 + 25 * math.sqrt(row.size_mb / largest), 1))
        for row, accuracy in scored
    ]
    yardstick = next((row for row in rows if row.name == YARDSTICK), None)
    return Tradeoff(
        WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM,
        bubbles=_labelled(circles),
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        yardstick=_line(x, yardstick) if yardstick else None,
    )  # fmt: skip


def _line(x: Axis, row: ComparisonRow) -> Tick:
    return Tick(x.place(row.p50_ms), f"BERT-base {row.p50_ms:.0f} ms, {row.size_mb:.0f} MB")


def _labelled(circles: list[tuple[ComparisonRow, float, float, float]]) -> tuple[Bubble, ...]:
    """Give each circle a label beside it, where no other label or circle is yet."""
    taken = [(x - 0.8 * r, y - 0.8 * r, x + 0.8 * r, y + 0.8 * r) for _, x, y, r in circles]
    bubbles = []
    for row, x, y, radius in sorted(circles, key=lambda circle: (circle[2], circle[1])):
        label_x, label_y, anchor = _free_place(row.name, x, y, radius, taken)
        title = f"{row.name}: {row.accuracy:.4f}, {row.p50_ms:.2f} ms, {row.size_mb:.2f} MB"
        bubbles.append(
            Bubble(row.name, MARKS.get(row.name, ""), title, x, y, radius, label_x, label_y, anchor)
        )
    return tuple(
        sorted(bubbles, key=lambda bubble: (bubble.name == CANDIDATE, -bubble.radius))
    )  # on top: last


def _free_place(
    name: str, x: float, y: float, radius: float, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float, str]:
    """The nearest place for a label that overlaps nothing in `taken`, which it then joins."""
    wide, gap = LETTER * len(name), radius + 6
    places = []
    for step in range(8):
        for sign in (-1, 1) if step else (1,):
            down = sign * step * LINE
            places += [(x + gap, y + down, "start"), (x - gap, y + down, "end")]
        places += [(x, y - gap - step * LINE, "middle"), (x, y + gap + 8 + step * LINE, "middle")]
    for label_x, label_y, anchor in places:
        start = label_x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        box = (start, label_y - 11, start + wide, label_y + 5)
        inside = box[0] > LEFT and box[2] < WIDTH - RIGHT and box[1] > TOP and box[3] < HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return round(label_x, 1), round(label_y, 1), anchor
    return x + gap, y, "start"


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
