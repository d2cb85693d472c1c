"""Tokenizers side by side: tokens a byte on each group of texts, and how long the tokens are that a text is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tasks.figures.scale import Frame, Tick
from tasks.formats.tokenizer_report import MeasuredTokenizer, TokenizerReport

ROW = 34
NAME_LETTERS, LETTER = 22, 7.2  # longer names are cut; pixels that a letter takes
HUES = range(2, 8)  # of the style sheet; the one that has no number is ours
LENGTHS = Frame(width=400, height=270, left=42, right=300, top=28, bottom=222)
NAME_HEIGHT = 15.0


@dataclass(frozen=True)
class Dot:
    """One tokenizer on one group."""

    x: float
    mark: str
    title: str


@dataclass(frozen=True)
class DotRow:
    """One group of texts: its dots, first the tokenizers that are drawn below the others."""

    y: float
    name: Tick
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Dots:
    """The figure in pixels; `legend` has a mark and a name at each place across."""

    rows: tuple[DotRow, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[Dot, ...]
    frame: Frame


@dataclass(frozen=True)
class LengthLine:
    """One tokenizer: share of the bytes in tokens of up to so many bytes."""

    mark: str
    points: str
    name: Tick


@dataclass(frozen=True)
class LengthLines:
    """The figure in pixels."""

    lines: tuple[LengthLine, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    frame: Frame = LENGTHS


def draw_tokens_per_byte(report: TokenizerReport) -> Dots:
    """A row a group, a dot a tokenizer; the axis begins at 0."""
    names = [_short(group.name) for group in report.groups]
    left = 12 + round(LETTER * max(map(len, names)))
    bottom = 34 + ROW * len(names)
    frame = Frame(width=620, height=bottom + 44, left=left, right=600, top=34, bottom=bottom)
    values = [one.groups[group.name].tokens_per_byte for one in report.tokenizers for group in report.groups]
    x = frame.across(0.0, 1.05 * max(values))
    marks = dict(zip((one.name for one in report.tokenizers), _marks(len(report.tokenizers)), strict=True))
    rows = tuple(
        DotRow(
            y=frame.top + ROW * (place + 0.5),
            name=Tick(frame.top + ROW * (place + 0.5) + 4, name),
            dots=tuple(
                Dot(x.place(found), marks[one.name], f"{one.name}, {group.name}: {found:.4f} tokens a byte")
                for one in reversed(report.tokenizers)
                for found in [one.groups[group.name].tokens_per_byte]
            ),
        )
        for place, (group, name) in enumerate(zip(report.groups, names, strict=True))
    )
    return Dots(rows, x.ticks(), _legend(report.tokenizers, marks, left), frame)


def draw_lengths(report: TokenizerReport) -> LengthLines:
    """A line a tokenizer: how much of the text lies in tokens of 1, of up to 2, ... bytes."""
    most = max(len(one.lengths) for one in report.tokenizers)
    x, y = LENGTHS.across(1, max(most, 2)), LENGTHS.up(0.0, 1.0)
    marks = _marks(len(report.tokenizers))
    places = [
        [
            (x.place(size), y.place(min(share, 1.0)))
            for size, share in enumerate(accumulate(one.lengths), start=1)
        ]
        for one in report.tokenizers
    ]
    lines = tuple(
        LengthLine(
            mark=mark,
            points=" ".join(f"{across},{up}" for across, up in path),
            name=Tick(
                LENGTHS.top + (place + 0.5) * NAME_HEIGHT, _short(one.name)
            ),  # all lines end at the top
        )
        for place, (one, mark, path) in enumerate(zip(report.tokenizers, marks, places, strict=True))
    )
    whole = tuple(tick for tick in x.ticks(6) if "." not in tick.label)
    return LengthLines(lines, whole, tuple(Tick(tick.at, f"{float(tick.label):.0%}") for tick in y.ticks()))


def _marks(count: int) -> list[str]:
    """The first one is ours; each of the others has a hue."""
    return ["ours", *(f"hue-{place % len(HUES) + HUES[0]}" for place in range(count - 1))]


def _legend(tokenizers: Sequence[MeasuredTokenizer], marks: dict[str, str], left: int) -> tuple[Dot, ...]:
    places: list[Dot] = []
    across = float(left)
    for one in tokenizers:
        places.append(Dot(round(across, 1), marks[one.name], _short(one.name)))
        across += 30 + LETTER * len(_short(one.name))
    return tuple(places)


def _short(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1].rstrip()}…"
