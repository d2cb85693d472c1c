"""How every plot looks: one palette, one font size, the same bytes each time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE, YARDSTICK

INK, MUTED, GRID = "#222222", "#6b6b6b", "#dddddd"
RIGHT, WRONG = "#0072b2", "#d55e00"
# Okabe & Ito's palette: told apart by colour-blind readers too. A model has one colour in every plot.
COLOURS = {BASELINE: "#8c6d1f", YARDSTICK: "#222222", REFERENCE: "#0072b2", CANDIDATE: "#d55e00"}
OTHERS = ("#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#f0e442")  # in the order of the flow's rows
NAMES = {BASELINE: "TF-IDF", YARDSTICK: "BERT-base (yardstick)"}
ABBREVIATIONS = {"onnx": "ONNX"}
DPI = 150
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so it is there on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each model: that of its role, or the next one."""
    left = cycle(OTHERS)
    return {name: COLOURS.get(name) or next(left) for name in names}


def title_of(name: str) -> str:
    """A model's name as it is read: `onnx_int8` is `ONNX int8`."""
    return NAMES.get(name) or " ".join(ABBREVIATIONS.get(word, word) for word in name.split("_"))


@contextmanager
def canvas(path: Path, width: float, height: float, panels: int = 1) -> Iterator[list[Axes]]:
    """Axes of `panels` side by side, `width` x `height` inches; written to `path` as PNG when the block ends.

    No window system, no date and no version in the file: equal figures are equal bytes.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        yield list(figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(path, format="png", metadata={"Software": None})


def bubble(axes: Axes, x: ArrayLike, y: ArrayLike, areas: ArrayLike, colour: str) -> None:
    """One or several bubbles over the grid, `areas` in square points."""
    axes.scatter(x, y, s=areas, color=colour, alpha=0.85, edgecolor="white", zorder=3)


def light_grid(axes: Axes) -> None:
    """Faint lines behind the data."""
    axes.set_axisbelow(True)
    axes.grid(True, color=GRID, linewidth=0.8)
