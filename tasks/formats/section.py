"""What a stage has to show of a finished artifact: facts, tables and figures, told once and drawn by whoever shows them.

A stage's `section` is a pure function of its artifact's folder, beside its science. It reads reports and pictures, never
weights or rows, and computes nothing that takes time. Text from data stays text: who draws a section escapes it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from xml.etree import ElementTree

from pydantic import Field, model_validator

from tasks.formats.value import Value

Cell = str | int | float | None
MISSING = "–"
CLOSE = ("%", "x")  # units that are written without a blank
DRAWN = frozenset(
    {"svg", "g", "line", "rect", "circle", "path", "polyline", "text", "title", "defs", "marker"}
)
SVG = "{http://www.w3.org/2000/svg}"


class Fact(Value):
    """One figure or name with what it means."""

    label: str
    value: Cell
    unit: str = ""
    places: int | None = Field(
        None, description="decimals; unset: whole numbers whole, others with four digits"
    )
    hint: str = Field("", description="what a reader may want to know beside it")

    @property
    def text(self) -> str:
        """As it is read."""
        return show(self.value, self.places, self.unit)


class Column(Value):
    """A column of a table: the name of its values in the rows, and how they are written."""

    name: str
    heading: str
    unit: str = ""
    places: int | None = Field(None, description="as for a fact")
    meter: bool = Field(False, description="a share, 0 to 1: drawn as a bar too, where there is room")
    minor: bool = Field(False, description="left out where there is little room")
    code: bool = Field(False, description="a digest or a name of the code")

    def text(self, row: Mapping[str, Cell]) -> str:
        """The cell of a row as it is read."""
        return show(row.get(self.name), self.places, self.unit)


class Table(Value):
    """Rows as mappings of a column's name to its cell; the first column says what a row is of."""

    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[dict[str, Cell], ...]
    title: str = ""
    strong: tuple[str, ...] = Field((), description="first cells of the rows that matter most")
    soft: tuple[str, ...] = Field((), description="first cells of the rows that are only compared with")
    narrow: bool = Field(False, description="may stand beside another one")
    folded: bool = Field(False, description="under its title until somebody opens it")

    def mark(self, row: Mapping[str, Cell]) -> str:
        """`strong`, `soft` or nothing, of a row."""
        first = row.get(self.columns[0].name)
        return "strong" if first in self.strong else "soft" if first in self.soft else ""

    def is_number(self, column: Column) -> bool:
        """Whether a column holds figures, which stand under each other."""
        return not any(isinstance(row.get(column.name), str) for row in self.rows)


class Figure(Value):
    """A drawing by `tasks.figures`, which takes its colours from the page, or a picture that the stage left."""

    title: str
    svg: str = ""
    picture: Path | None = None
    value: str = Field("", description="the figure that the drawing ends with")
    small: bool = Field(False, description="may stand beside others")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        """A drawing is lines and text: whatever else got into it came from data."""
        if bool(self.svg) == (self.picture is not None):
            raise ValueError(f"{self.title!r} has both or none of svg and picture: expected one")
        try:
            nodes = list(ElementTree.fromstring(self.svg).iter()) if self.svg else []
        except ElementTree.ParseError as error:
            raise ValueError(f"{self.title!r} is no drawing ({error}): expected SVG") from None
        for node in nodes:
            if node.tag.removeprefix(SVG) not in DRAWN or any(_acts(name) for name in node.attrib):
                raise ValueError(
                    f"{self.title!r} has <{node.tag}>: expected {', '.join(sorted(DRAWN))} alone"
                )
        return self


class Listing(Value):
    """Text as it stands, such as SQL."""

    title: str
    text: str
    folded: bool = False


class Piece(Value):
    """A token or a few words of a passage."""

    text: str
    over: str = Field("", description="what stands over it in small letters")
    mark: Literal["", "soft", "seam", "hidden", "swapped", "kept"] = ""
    joined: bool = Field(False, description="goes on without a blank")


class Passage(Value):
    """Text in marked pieces, which flows as wide as there is room."""

    pieces: tuple[Piece, ...]
    title: str = Field("", description="one that has a title may stand beside another")


class Section(Value):
    """What one stage shows: drawn in the order of the fields, folded parts last."""

    title: str
    warnings: tuple[str, ...] = Field((), description="what a person should look at")
    lines: tuple[str, ...] = Field((), description="what it comes to, a sentence or two each")
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = Field((), description="how to read the tables")
    passages: tuple[Passage, ...] = ()
    figures: tuple[Figure, ...] = ()
    listings: tuple[Listing, ...] = ()


def show(value: Cell, places: int | None = None, unit: str = "") -> str:
    """A value as it is read: thousands separated, whole numbers whole, others with `places` decimals or four digits."""
    if value is None or isinstance(value, str):
        return MISSING if value is None else value
    if places is None and float(value).is_integer():
        places = 0
    text = f"{value:.4g}" if places is None else f"{value:,.{places}f}"
    return f"{text}{unit}" if unit in CLOSE else f"{text} {unit}".rstrip()


def words(name: str) -> str:
    """A name of the code as words: `roc_auc` is `roc auc`."""
    return name.replace("_", " ").replace("-", " ")


def _acts(attribute: str) -> bool:
    return attribute.lower().startswith("on") or attribute.rpartition("}")[2] == "href"
