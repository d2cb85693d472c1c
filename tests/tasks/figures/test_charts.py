"""Figures: round ticks, labels where room is, boxes below what they are made from."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ArtifactError
from tasks.figures.bars import bar_figure, draw_bars
from tasks.figures.curves import draw_curves
from tasks.figures.interval import draw_interval
from tasks.figures.labels import apart, freest
from tasks.figures.layers import layer_graph
from tasks.figures.lineage import BOX_HEIGHT, BOX_WIDTH, draw_lineage
from tasks.figures.scale import Axis
from tests.tasks.reporting.page import lineage, verdict


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6))
def test_ticks_lie_on_the_axis(low: float, span: float) -> None:
    axis = Axis(low, low + span, 40, 400)
    if low + span == low:
        return
    places = [tick.at for tick in axis.ticks()]
    assert all(39 <= place <= 401 for place in places) and places == sorted(places)


def test_ticks_are_round_and_of_one_width() -> None:
    assert [tick.label for tick in Axis(0.862, 0.941, 0, 1).ticks()] == ["0.88", "0.90", "0.92", "0.94"]
    decades = [tick.label for tick in Axis(0.2, 60, 0, 1, logarithmic=True).ticks()]
    assert decades == ["0.2", "0.5", "1", "2", "5", "10", "20", "50"]
    assert [tick.label for tick in Axis(0, 8e-4, 0, 1).ticks(3)] == ["0", "5e-04"]


def test_a_label_stands_where_it_covers_least_and_leaves_the_frame_only_when_every_place_does() -> None:
    frame, taken = (0.0, 0.0, 100.0, 100.0), [(40.0, 40.0, 60.0, 60.0)]
    covering, touching, outside = (50, 50, 70, 70), (60, 40, 80, 60), (90, 0, 110, 20)
    assert freest([covering, touching, touching], taken, frame) == 1
    assert freest([outside, covering], taken, frame) == 1 and freest([outside, outside], taken, frame) == 0


@given(places=st.lists(st.floats(0, 100), min_size=1, max_size=12), gap=st.floats(0, 15))
def test_labels_of_a_column_stand_apart_in_their_order_and_inside_of_it(
    places: list[float], gap: float
) -> None:
    found = apart(places, gap, 0, 100)
    order = sorted(range(len(places)), key=lambda one: places[one])
    least = min(gap, 100 / max(1, len(places) - 1)) - 0.2
    assert all(found[after] - found[before] >= least for before, after in pairwise(order))
    assert min(found) >= -0.1 and max(found) <= 100.1
    if all(places[after] - places[before] >= gap for before, after in pairwise(order)):
        assert found == pytest.approx(places, abs=0.06)


def test_labels_in_one_place_are_moved_to_both_sides_of_it() -> None:
    assert apart([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    assert apart([1, 1, 70], 10, 0, 100) == [0, 10, 70]


@pytest.mark.parametrize("outcome", ["pass", "fail", "needs_more_rows"])
def test_the_interval_stands_on_its_side_of_the_margin(outcome) -> None:  # type: ignore[no-untyped-def]
    figure = draw_interval(verdict(outcome))
    assert figure.frame.left < figure.margin.at < figure.zero < figure.frame.right
    assert figure.low.at < figure.point.at < figure.high.at
    sides = {"pass": figure.low.at > figure.margin.at, "fail": figure.high.at < figure.margin.at}
    assert sides.get(outcome, figure.low.at < figure.margin.at < figure.high.at)


def test_curves_leave_out_what_is_no_curve() -> None:
    history = {
        "once": [(0, 1.0)],
        "nan": [(0, math.nan), (1, math.inf)],
        "flat": [(0, 2.0), (5, 2.0)],
        "loss": [(2, 1.0), (1, 3.0)],
    }
    flat, loss = draw_curves(history)
    assert (flat.name, loss.name) == ("flat", "loss")
    (line,) = loss.lines
    assert loss.last == "1" and line.dots[0][0] < line.dots[1][0] and line.dots[0][1] < line.dots[1][1]


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    (curve,) = draw_curves({"loss": [(i, float(i)) for i in range(10_000)]})
    assert len(curve.lines[0].points.split()) <= 241 and curve.last == "9999"


def test_training_and_validation_of_the_same_are_one_figure_with_the_kept_step_marked() -> None:
    history = {
        "train_kl": [(20, 0.5), (40, 0.3), (60, 0.2)],
        "validation_kl": [(0, 0.9), (30, 0.4), (60, 0.2)],
        "train_loss": [(20, 1.0), (40, 0.5)],
    }
    both, alone = draw_curves(history, kept=30)
    assert (both.name, [line.of for line in both.lines]) == ("kl", ["training", "validation"])
    assert both.last == "0.2" and both.marked == both.lines[1].dots[1][0]
    assert (
        abs(both.lines[0].end - both.lines[1].end) >= 12
    )  # their names stand apart, though they end in one place
    assert (alone.name, alone.marked, alone.lines[0].of) == ("train_loss", None, "")


def test_a_perplexity_that_falls_by_much_has_a_logarithmic_axis_and_a_loss_has_not() -> None:
    falling = [(0, 800.0), (10, 200.0), (20, 50.0)]
    flat = [(0, 52.0), (10, 51.0), (20, 50.0)]
    drawn = {name: draw_curves({name: points})[0] for name, points in
             (("perplexity", falling), ("validation_perplexity", flat), ("loss", falling))}  # fmt: skip
    places = {name: [up for _, up in curve.lines[0].dots] for name, curve in drawn.items()}
    first, second, third = places["perplexity"]
    assert second - first == pytest.approx(third - second, abs=0.2)
    assert [tick.label for tick in drawn["perplexity"].y_ticks] == ["50", "100", "200", "500"]
    assert places["validation_perplexity"][1] - places["validation_perplexity"][0] == pytest.approx(
        places["validation_perplexity"][2] - places["validation_perplexity"][1], abs=0.2
    )
    assert places["loss"][1] - places["loss"][0] > 3 * (places["loss"][2] - places["loss"][1])


def test_every_box_is_below_what_it_is_made_from_and_none_touch() -> None:
    graph = draw_lineage(lineage())
    places = {box.node.id: box for box in graph.boxes}
    for box in graph.boxes:
        assert 0 <= box.x <= graph.width - BOX_WIDTH and 0 <= box.y <= graph.height - BOX_HEIGHT
        assert all(places[parent].y < box.y for parent in box.node.inputs)
        others = [other for other in graph.boxes if other is not box and other.y == box.y]
        assert all(abs(other.x - box.x) >= BOX_WIDTH for other in others)


def test_a_link_that_a_longer_way_implies_is_left_out() -> None:
    layers = layer_graph({"a": [], "b": ["a"], "c": ["b", "a"]})
    assert layers.links == {"a": [], "b": ["a"], "c": ["b"]}


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1)), min_size=n, max_size=n)))
def test_any_graph_without_cycles_is_laid_out(wished: list[set[int]]) -> None:
    nodes = [
        lineage()[0].model_copy(
            update={"id": str(i), "inputs": tuple(str(j) for j in sorted(above) if j < i)}
        )
        for i, above in enumerate(wished)
    ]
    assert len(draw_lineage(nodes).boxes) == len(nodes)


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ArtifactError, match="made from one another"):
        layer_graph({"a": ["b"], "b": ["a"]})


def test_no_nodes_give_an_empty_graph() -> None:
    assert draw_lineage([]).boxes == ()


@given(counts=st.dictionaries(st.text(max_size=40), st.integers(0, 10**9), max_size=30))
def test_bars_are_as_long_as_what_they_count_and_the_rest_is_one_of_them(counts: dict[str, int]) -> None:
    drawn = draw_bars(counts, "files")
    assert len(drawn.bars) == min(len(counts), 12)
    ends = [bar.end for bar in drawn.bars]
    assert all(drawn.frame.left <= end <= drawn.frame.right for end in ends)
    if len(counts) <= 12:
        longer = sorted(zip(counts.values(), ends, strict=True))
        assert all(one <= other for (_, one), (_, other) in pairwise(longer))


def test_what_is_counted_is_escaped_and_a_long_name_is_cut() -> None:
    svg = bar_figure("Licences", {"<b>bold</b>": 1, "a" * 40: 3}, "files").svg
    assert "&lt;b&gt;" in svg and "a" * 17 + "…<" in svg and "3 (75.0%)" in svg
