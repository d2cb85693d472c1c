"""The way from the SQL to the release, drawn from top to bottom: an artifact a box, what it was made from above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.errors import ArtifactError
from tasks.report.inputs import LineageNode

BOX_WIDTH, BOX_HEIGHT = 148, 46
GAP_X, GAP_Y, EDGE = 18, 40, 12
SWEEPS = 6  # passes down and up that order each layer by its neighbours' places


@dataclass(frozen=True)
class Box:
    """One artifact at its place, in pixels; x and y are its upper left corner."""

    node: LineageNode
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """The figure: boxes, and edges as SVG paths."""

    width: float
    height: float
    box_width: int
    box_height: int
    boxes: tuple[Box, ...]
    edges: tuple[str, ...]


def draw_lineage(nodes: Sequence[LineageNode]) -> Graph:
    """Lay the graph out in layers, each artifact below everything that it was made from.

    An edge that a longer path implies is left out: the list of inputs has them all, the figure shows the way.
    Raises ArtifactError when the artifacts are their own ancestors.
    """
    by_id = {node.id: node for node in nodes}
    parents = {node.id: [parent for parent in node.inputs if parent in by_id] for node in nodes}
    depth = _depths(parents)
    parents = _direct(parents, depth)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        layers[depth[node.id]].append(node.id)
    _untangle(layers, parents)
    width = max((len(layer) for layer in layers), default=0) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * EDGE
    places = {}
    for level, layer in enumerate(layers):
        start = (width - len(layer) * (BOX_WIDTH + GAP_X) + GAP_X) / 2
        for i, name in enumerate(layer):
            places[name] = (start + i * (BOX_WIDTH + GAP_X), EDGE + level * (BOX_HEIGHT + GAP_Y))
    edges = tuple(_path(places[parent], places[name]) for name in places for parent in parents[name])
    height = len(layers) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * EDGE
    boxes = tuple(Box(by_id[name], *place) for name, place in places.items())
    return Graph(width, height, BOX_WIDTH, BOX_HEIGHT, boxes, edges)


def _depths(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Layer of each artifact: the length of the longest path down to it."""
    depth: dict[str, int] = {}
    waiting = list(parents)
    while waiting:
        ready = [name for name in waiting if all(parent in depth for parent in parents[name])]
        if not ready:
            raise ArtifactError(f"{waiting} are made from one another: expected a lineage without cycles. Run again.")
        for name in ready:
            depth[name] = 1 + max((depth[parent] for parent in parents[name]), default=-1)
        waiting = [name for name in waiting if name not in depth]
    return depth


def _direct(parents: Mapping[str, Sequence[str]], depth: Mapping[str, int]) -> dict[str, list[str]]:
    """Parents that are not also ancestors of another parent (the transitive reduction)."""
    above: dict[str, set[str]] = {}
    for name in sorted(parents, key=lambda each: depth[each]):
        above[name] = set(parents[name]).union(*(above[parent] for parent in parents[name]))
    return {
        name: [p for p in dict.fromkeys(own) if not any(p in above[other] for other in own)]
        for name, own in parents.items()
    }


def _untangle(layers: list[list[str]], parents: Mapping[str, Sequence[str]]) -> None:
    """Order each layer by the mean place of its neighbours (Sugiyama's barycentre heuristic)."""
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    place = {name: i - len(layer) / 2 for layer in layers for i, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        neighbours = parents if sweep % 2 == 0 else children
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means = {n: _mean([place[other] for other in neighbours[n]], place[n]) for n in layer}
            layer.sort(key=lambda name: means[name])
            place |= {name: i - len(layer) / 2 for i, name in enumerate(layer)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _path(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    """A curve from the middle of the upper box's lower edge to the middle of the lower box's upper edge."""
    x1, y1 = upper[0] + BOX_WIDTH / 2, upper[1] + BOX_HEIGHT
    x2, y2 = lower[0] + BOX_WIDTH / 2, lower[1]
    bend = min((y2 - y1) / 2, 60)
    return f"M{x1:.1f},{y1:.1f} C{x1:.1f},{y1 + bend:.1f} {x2:.1f},{y2 - bend:.1f} {x2:.1f},{y2:.1f}"
