"""How many of each kind: a bar a kind, its share of all beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.figures.scale import Frame
from tasks.figures.svg import as_svg
from tasks.formats.section import Figure

WIDTH, ROW, TOP, NAMES, FIGURES = (
    360,
    24,
    8,
    118,
    110,
)  # pixels; NAMES left of the bars, FIGURES right of the longest
MOST_LETTERS = 18


@dataclass(frozen=True)
class Bar:
    """One kind, in pixels; `label` has its number and share, `name` is cut where it is long, `title` is not."""

    name: str
    title: str
    y: float
    end: float
    label: str


@dataclass(frozen=True)
class Bars:
    """The figure: bars from `frame.left` on, one below the other. `what` is counted."""

    frame: Frame
    what: str
    bars: tuple[Bar, ...]


def draw_bars(counts: Mapping[str, int], what: str, most: int = 12) -> Bars:
    """Lay out the first `most` of the counts in their order; what is behind them is one bar more, `others`."""
    shown = dict(list(counts.items())[: most if len(counts) <= most else most - 1])
    if len(counts) > len(shown):
        shown["others"] = sum(counts.values()) - sum(shown.values())
    total, height = sum(counts.values()), TOP + ROW * len(shown)
    frame = Frame(WIDTH, height, NAMES, WIDTH - FIGURES, TOP, height)
    axis = frame.across(0, max([1, *shown.values()]))
    return Bars(
        frame,
        what,
        tuple(
            Bar(
                name=name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…",
                title=name,
                y=TOP + ROW * (place + 0.5),
                end=axis.place(count),
                label=f"{count:,} ({count / max(total, 1):.1%})",
            )
            for place, (name, count) in enumerate(shown.items())
        ),
    )


def bar_figure(title: str, counts: Mapping[str, int], what: str) -> Figure:
    """The same as a figure of a section, to stand beside others."""
    return Figure(title=title, svg=as_svg("bars", draw_bars(counts, what)), small=True)
