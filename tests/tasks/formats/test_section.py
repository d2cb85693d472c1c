"""A section's values: how figures are read, what a drawing may hold, what a table marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.formats.section import Column, Fact, Figure, Section, Table, show

SVG = '<svg viewBox="0 0 1 1">{}</svg>'


@pytest.mark.parametrize(
    ("value", "places", "unit", "text"),
    [
        (None, 2, "ms", "–"), ("as it is", None, "", "as it is"), (1_200, None, "", "1,200"), (3.0, None, "", "3"),
        (0.123456, None, "", "0.1235"), (0.5, 2, "ms", "0.50 ms"), (91.25, 1, "%", "91.2%"), (18.7, 1, "x", "18.7x"),
        (1.0, 4, "", "1.0000"),
    ],
)  # fmt: skip
def test_values_are_read_as_a_person_writes_them(value, places, unit, text) -> None:  # type: ignore[no-untyped-def]
    assert show(value, places, unit) == text == Fact(label="x", value=value, unit=unit, places=places).text


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers())
def test_any_figure_can_be_read(value: float) -> None:
    assert show(value) and show(value, 2)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>", '<rect onload="alert(1)"/>', '<a href="http://x"/>', "<text>a <b>label</b></text>",
        '<text xmlns:x="http://www.w3.org/1999/xlink" x:href="http://x"/>', "<text>not closed", "a & b",
    ],
)  # fmt: skip
def test_a_drawing_that_markup_got_into_is_refused(inside: str) -> None:
    with pytest.raises(ValidationError, match="expected"):
        Figure(title="x", svg=SVG.format(inside))
    assert Figure(title="x", svg=SVG.format("<text>a &lt;b&gt;</text>"))


def test_a_figure_is_a_drawing_or_a_picture() -> None:
    with pytest.raises(ValidationError, match="both or none"):
        Figure(title="x")


def test_rows_are_marked_by_their_first_cell_and_columns_of_figures_known() -> None:
    names = Column(name="name", heading="model"), Column(name="ms", heading="ms", places=1)
    rows = ({"name": "a", "ms": 1.25}, {"name": "b", "ms": None}, {"name": "c"})
    table = Table(columns=names, rows=rows, strong=("a",), soft=("b",))
    assert [table.mark(row) for row in rows] == ["strong", "soft", ""]
    assert [table.is_number(column) for column in names] == [False, True]
    assert [names[1].text(row) for row in rows] == ["1.2", "–", "–"]


def test_a_section_survives_json() -> None:
    section = Section(title="x", facts=(Fact(label="rows", value=3),), tables=(
        Table(columns=(Column(name="a", heading="A"),), rows=({"a": 1}, {"a": "text"}, {"a": 0.5})),))  # fmt: skip
    assert Section.model_validate_json(section.model_dump_json()) == section
