"""What labels are worth to each encoder: accuracy against the number of labelled rows, a line an encoder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.figures.labels import apart
from tasks.figures.scale import Axis, Frame, Tick
from tasks.formats.encoder_comparison import ComparedEncoder

FRAME = Frame(
    width=400, height=300, left=38, right=396, top=28, bottom=252
)  # what names take is off its right
NAME_LETTERS, LETTER, NAME_HEIGHT = (
    16,
    7.4,
    15.0,
)  # longer names are cut; pixels that a letter takes, and a name
LEADER = 16  # pixels from the end of the axis to the names
EDGE = 18.0  # pixels from the first and the last number of labels to the ends of the axis
BESIDE = 4.0  # pixels between two encoders at one number of labels, where there is room
TICK_LETTER = 7.0
HUES = 7


@dataclass(frozen=True)
class Spot:
    """One encoder at one number of labels: its mean, and the seeds' range, the lowest being `low`."""

    x: float
    y: float
    low: float
    high: float
    title: str


@dataclass(frozen=True)
class EncoderLine:
    """One encoder; its `mark` is a hue, or `first`: what the others are compared with, whose ranges are one `band`."""

    name: str
    mark: str
    spots: tuple[Spot, ...]
    points: str
    band: str
    label: Tick


@dataclass(frozen=True)
class EncoderLines:
    """The figure in pixels, what comes later on top; `names` is where the names at the lines' ends begin."""

    lines: tuple[EncoderLine, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    names: int
    frame: Frame


def draw_encoders(encoders: Sequence[ComparedEncoder]) -> EncoderLines | None:
    """Lay the figure out; None with one number of labels, which makes no line.

    At one number of labels encoders stand a little beside each other, so that the seeds' ranges are told apart.
    """
    sizes = sorted({one.labels for one in encoders})
    if len(sizes) < 2:
        return None
    rows = {name: [one for one in encoders if one.name == name] for name in (one.name for one in encoders)}
    labels = [_label(name) for name in rows]
    names = FRAME.right - round(LETTER * max(map(len, labels)))
    frame = Frame(FRAME.width, FRAME.height, FRAME.left, names - LEADER, FRAME.top, FRAME.bottom)
    x = Axis(sizes[0], sizes[-1], frame.left + EDGE, frame.right - EDGE, logarithmic=True)
    y = _up(frame, encoders)
    nearest = min(x.place(more) - x.place(less) for less, more in pairwise(sizes))
    step = min(BESIDE, nearest / 2 / len(rows), 2 * EDGE / len(rows))
    spots = [
        _spots(own, x, y, step * (place - len(rows) / 2) if place else 0.0)
        for place, own in enumerate(rows.values())
    ]
    ends = apart([own[-1].y for own in spots], NAME_HEIGHT, frame.top, frame.bottom)
    lines = tuple(
        _line(name, place, own, Tick(end, label))
        for place, (name, own, end, label) in enumerate(zip(rows, spots, ends, labels, strict=True))
    )
    return EncoderLines(lines, _sizes(x, sizes), y.ticks(), names, frame)


def _label(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1].rstrip()}…"


def _up(frame: Frame, encoders: Sequence[ComparedEncoder]) -> Axis:
    """All of the seeds' ranges with a little room, but no accuracy that cannot be."""
    low, high = min(one.lowest for one in encoders), max(one.highest for one in encoders)
    room = max(0.06 * (high - low), 0.005)
    return frame.up(max(low - room, 0.0), min(high + room, 1.0))


def _spots(rows: Sequence[ComparedEncoder], x: Axis, y: Axis, beside: float) -> tuple[Spot, ...]:
    return tuple(
        Spot(
            x=round(x.place(one.labels) + beside, 1),
            y=y.place(one.accuracy),
            low=y.place(one.lowest),
            high=y.place(one.highest),
            title=f"{one.name}, {one.labels:,} labels: {one.accuracy:.3f} ({one.lowest:.3f} to {one.highest:.3f})",
        )
        for one in sorted(rows, key=lambda one: one.labels)
    )


def _line(name: str, place: int, spots: tuple[Spot, ...], label: Tick) -> EncoderLine:
    around = [(one.x, one.high) for one in spots] + [(one.x, one.low) for one in reversed(spots)]
    return EncoderLine(
        name,
        mark=f"hue-{(place - 1) % HUES + 1}" if place else "first",
        spots=spots,
        points=_path((one.x, one.y) for one in spots),
        band="" if place else _path(around),
        label=label,
    )


def _path(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{across},{up}" for across, up in places)


def _sizes(x: Axis, sizes: Sequence[int]) -> tuple[Tick, ...]:
    """A tick at each number of labels that was measured; where they are close, the larger ones are named."""
    ticks: list[Tick] = []
    for size in reversed(sizes):
        tick = Tick(x.place(size), f"{size:,}")
        letters = len(tick.label) + len(ticks[-1].label) + 2 if ticks else 0
        if not ticks or ticks[-1].at - tick.at >= TICK_LETTER * letters / 2:
            ticks.append(tick)
    return tuple(reversed(ticks))
