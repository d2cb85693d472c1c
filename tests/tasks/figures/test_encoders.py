"""Accuracy against labels: lines inside the frame, names that do not touch, the first unlike the others, text as text."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.figures.encoders import NAME_HEIGHT, draw_encoders
from tasks.figures.svg import as_svg
from tasks.formats.encoder_comparison import ComparedEncoder
from tasks.formats.section import Figure

NAMES = (
    "plain",
    "adapted",
    "averaged",
    "whole words",
    "kept 10",
    "frozen 3",
    "100 steps",
    "<b>bold</b> & more words",
)
Means = dict[tuple[str, int], float]


def compared(means: Means, spread: float = 0.05) -> list[ComparedEncoder]:
    return [
        ComparedEncoder(
            name=name, labels=labels, accuracy=mean, lowest=max(0.0, mean - spread), highest=min(1.0, mean + spread),
            difference=0.0, interval=(0.0, 0.0), choice="layer 5, mean",
        )
        for (name, labels), mean in means.items()
    ]  # fmt: skip


@st.composite
def any_means(draw: st.DrawFn) -> Means:
    sizes = draw(st.lists(st.integers(4, 100_000), min_size=2, max_size=8, unique=True))
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    return {(name, size): draw(st.floats(0, 1)) for size in sizes for name in names}


@given(means=any_means(), spread=st.floats(0, 0.2))
def test_all_lies_inside_the_frame_and_no_two_names_or_ticks_touch(means: Means, spread: float) -> None:
    figure = draw_encoders(compared(means, spread))
    assert figure is not None
    frame = figure.frame
    for line in figure.lines:
        assert [one.x for one in line.spots] == sorted(one.x for one in line.spots)
        for one in line.spots:
            assert frame.left <= one.x <= frame.right < figure.names < frame.width
            assert frame.top - 0.1 <= one.high <= one.y <= one.low <= frame.bottom + 0.1
    names = sorted(line.label.at for line in figure.lines)
    assert frame.top - 0.1 <= names[0] and names[-1] <= frame.bottom + 0.1
    assert all(lower - upper >= NAME_HEIGHT - 0.2 for upper, lower in pairwise(names))
    ends = [line.spots[-1].y for line in sorted(figure.lines, key=lambda line: line.label.at)]
    assert ends == sorted(ends)  # so what leads to the names does not cross
    assert figure.x_ticks[-1].label == f"{max(size for _, size in means):,}"
    for before, after in pairwise(figure.x_ticks):
        assert after.at - before.at >= 3.5 * (len(before.label) + len(after.label))


def test_the_axis_is_logarithmic_and_has_the_measured_numbers() -> None:
    figure = draw_encoders(compared({("plain", size): 0.5 for size in (10, 100, 1_000)}))
    assert figure is not None
    assert [tick.label for tick in figure.x_ticks] == ["10", "100", "1,000"]
    first, second, third = (tick.at for tick in figure.x_ticks)
    assert second - first == pytest.approx(third - second, abs=0.2)


def test_the_first_has_a_band_and_the_others_a_hue_and_room_for_their_bars() -> None:
    figure = draw_encoders(compared({(name, size): 0.7 for size in (8, 2_000) for name in NAMES}))
    assert figure is not None
    first, *others = figure.lines
    assert (first.mark, len(first.band.split())) == ("first", 4)
    assert [other.mark for other in others] == [f"hue-{number}" for number in range(1, 8)]
    assert not any(other.band for other in others)
    at = sorted(other.spots[0].x for other in others)
    assert all(after - before >= 3 for before, after in pairwise(at))
    assert len(figure.lines) == 8 and max(len(line.label.label) for line in figure.lines) <= 16


def test_one_number_of_labels_is_no_line() -> None:
    assert draw_encoders(compared({("plain", 100): 0.5, ("adapted", 100): 0.6})) is None
    assert draw_encoders([]) is None


@pytest.mark.parametrize(("spread", "bars"), [(0.05, 2 * 7), (0.0, 0)])
def test_it_is_drawn_with_text_as_text_and_bars_where_seeds_differ(spread: float, bars: int) -> None:
    svg = as_svg("encoders", draw_encoders(compared({(n, s): 0.7 for s in (8, 100) for n in NAMES}, spread)))
    assert Figure(title="labels", svg=svg).svg  # else refused
    assert "<b>" not in svg and "&lt;b&gt;bold&lt;/b&gt; &amp; more words, 100 labels: 0.700" in svg
    drawn = ElementTree.fromstring(svg)
    classes = [node.get("class") for node in drawn.iter()]
    assert (classes.count("range"), classes.count("band"), classes.count("line")) == (bars, 1, 8)
    names = [node for node in drawn.iter() if node.get("class") == "name"]
    assert [(name[0].tail or "").strip() for name in names][:2] == ["plain", "adapted"]
