"""The way from the SQL to the release: an artifact a box, what it was made from above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import Field

from tasks.figures.layers import Layers, below, layer_graph, mean
from tasks.formats.value import Value

BOX_WIDTH, BOX_HEIGHT, LANE_WIDTH = 184, 46, 10
GAP_X, GAP_Y, EDGE = 18, 40, 12
SWEEPS = 24


class LineageNode(Value):
    """One artifact on the way from the sources to the release."""

    id: str = Field(description="unique name, such as artifact:distill/0123abcd")
    name: str = Field(description="stage that made it, or what kind of source it is")
    kind: str = Field(description="kind of the reference, such as CheckpointRef")
    digest: str
    state: Literal["computed", "cached", "source"]
    inputs: tuple[str, ...] = Field(description="ids of what it was made from")


@dataclass(frozen=True)
class Box:
    """One artifact at its place, in pixels; x and y are its upper left corner."""

    node: LineageNode
    x: float
    y: float


@dataclass(frozen=True)
class Edge:
    """An SVG path from one layer to the next; `arrow` where it ends at a box."""

    path: str
    arrow: bool


@dataclass(frozen=True)
class Graph:
    """The figure."""

    width: float
    height: float
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def draw_lineage(nodes: Sequence[LineageNode]) -> Graph:
    """Lay the graph out, each artifact below everything that it was made from.

    An edge that a longer path implies is left out: the list of inputs has them all, the figure shows the way.
    Raises ArtifactError when artifacts are made from one another.
    """
    by_id = {node.id: node for node in nodes}
    layers = layer_graph({node.id: [one for one in node.inputs if one in by_id] for node in nodes})
    wide = {slot: BOX_WIDTH if slot in by_id else LANE_WIDTH for row in layers.rows for slot in row}
    middle = _middles(layers, wide)
    left = min((middle[slot] - wide[slot] / 2 for slot in wide), default=0.0) - EDGE
    right = max((middle[slot] + wide[slot] / 2 for slot in wide), default=0.0) + EDGE
    x = {slot: round(middle[slot] - left, 1) for slot in wide}
    y = {slot: EDGE + level * (BOX_HEIGHT + GAP_Y) for level, row in enumerate(layers.rows) for slot in row}
    edges = [
        Edge(_path(x[above], y[above], x[slot], y[slot], through=slot not in by_id), arrow=slot in by_id)
        for slot, joined in layers.links.items()
        for above in joined
    ]
    height = len(layers.rows) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * EDGE
    boxes = tuple(Box(by_id[slot], x[slot] - BOX_WIDTH / 2, y[slot]) for slot in wide if slot in by_id)
    return Graph(round(right - left, 1), height, BOX_WIDTH, BOX_HEIGHT, boxes, tuple(edges))


def _middles(layers: Layers, wide: Mapping[str, float]) -> dict[str, float]:
    """Middle of each slot across. Down and up again, each layer is ordered, so that few links cross, and placed by the
    mean of the slots that it joins in the layer before (the barycentre heuristic)."""
    children = below(layers.links)
    middle: dict[str, float] = {}
    for row in layers.rows:
        middle |= _spread(row, [0.0] * len(row), wide)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        joined = layers.links if down else children
        for row in layers.rows if down else reversed(layers.rows):
            wish = {slot: mean([middle[other] for other in joined[slot]], middle[slot]) for slot in row}
            row.sort(key=lambda slot: wish[slot])
            middle |= _spread(row, [wish[slot] for slot in row], wide)
    return middle


def _spread(row: Sequence[str], wishes: Sequence[float], wide: Mapping[str, float]) -> dict[str, float]:
    """Places near the wishes where no two slots touch: halfway between pushing right and pushing left."""
    gaps = [(wide[a] + wide[b]) / 2 + GAP_X for a, b in pairwise(row)]
    rightward, leftward = list(wishes), list(wishes)
    for i, gap in enumerate(gaps):
        rightward[i + 1] = max(wishes[i + 1], rightward[i] + gap)
    for i, gap in reversed(list(enumerate(gaps))):
        leftward[i] = min(wishes[i], leftward[i + 1] - gap)
    return {slot: (a + b) / 2 for slot, a, b in zip(row, rightward, leftward, strict=True)}


def _path(x1: float, top: float, x2: float, y2: float, through: bool) -> str:
    """A curve from the lower edge of the slot at (x1, top) to the next below, or down through it."""
    y1 = top + BOX_HEIGHT
    half = (y1 + y2) / 2
    curve = f"M{x1},{y1} C{x1},{half} {x2},{half} {x2},{y2}"
    return f"{curve} V{y2 + BOX_HEIGHT}" if through else curve
