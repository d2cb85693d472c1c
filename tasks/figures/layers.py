"""Layers of a directed graph for drawing (Sugiyama et al. 1981): each node below what it comes from.

An edge over several layers goes through waypoints, so that it passes between the boxes and not behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.errors import ArtifactError

SWEEPS = 12  # passes down and up; the order settles long before
Parents = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Layers:
    """Slots of each layer from left to right (nodes, waypoints), and for each those above that it joins."""

    rows: list[list[str]]
    links: dict[str, list[str]]


def layer_graph(parents: Parents) -> Layers:
    """Layers of the graph, ordered so that few links cross; links that a longer path implies are left out.

    Raises ArtifactError for a graph with a cycle.
    """
    depth = _depths(parents)
    direct = _direct(parents, depth)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    links: dict[str, list[str]] = {}
    for name in parents:
        rows[depth[name]].append(name)
        links[name] = []
        for parent in direct[name]:
            above = parent
            for level in range(depth[parent] + 1, depth[name]):
                waypoint = f"{parent}\n{level}"  # one lane for all that leaves this parent
                if waypoint not in links:
                    rows[level].append(waypoint)
                    links[waypoint] = [above]
                above = waypoint
            links[name].append(above)
    layers = Layers(rows, links)
    _order(layers)
    return layers


def below(links: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The links the other way: for each slot those below that it joins."""
    children: dict[str, list[str]] = {name: [] for name in links}
    for name, above in links.items():
        for parent in above:
            children[parent].append(name)
    return children


def _depths(parents: Parents) -> dict[str, int]:
    """Layer of each node: the length of the longest path down to it."""
    depth: dict[str, int] = {}
    waiting = list(parents)
    while waiting:
        ready = [name for name in waiting if all(parent in depth for parent in parents[name])]
        if not ready:
            raise ArtifactError(f"{waiting} are made from one another: expected a lineage without cycles.")
        for name in ready:
            depth[name] = 1 + max((depth[parent] for parent in parents[name]), default=-1)
        waiting = [name for name in waiting if name not in depth]
    return depth


def _direct(parents: Parents, depth: Mapping[str, int]) -> dict[str, list[str]]:
    """Parents that are not also ancestors of another parent (the transitive reduction)."""
    above: dict[str, set[str]] = {}
    for name in sorted(parents, key=lambda each: depth[each]):
        above[name] = set(parents[name]).union(*(above[parent] for parent in parents[name]))
    return {
        name: [p for p in dict.fromkeys(own) if not any(p in above[other] for other in own)]
        for name, own in parents.items()
    }


def _order(layers: Layers) -> None:
    """Order each layer by the mean place of its neighbours (the barycentre heuristic)."""
    children = below(layers.links)
    place = {name: i - len(row) / 2 for row in layers.rows for i, name in enumerate(row)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = layers.links if down else children
        for row in layers.rows if down else reversed(layers.rows):
            means = {name: mean([place[other] for other in neighbours[name]], place[name]) for name in row}
            row.sort(key=lambda name: means[name])
            place |= {name: i - len(row) / 2 for i, name in enumerate(row)}


def mean(values: Sequence[float], otherwise: float) -> float:
    """Mean of `values`, or `otherwise` when there are none."""
    return sum(values) / len(values) if values else otherwise
