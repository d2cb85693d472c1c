"""Layers of a directed graph for drawing (Sugiyama et al. 1981): each node below what it comes from.

An edge over several layers goes through waypoints, so that it passes between the boxes and not behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from infra.errors import ArtifactError

Parents = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Layers:
    """Slots of each layer (nodes, waypoints), and for each those above that it joins."""

    rows: list[list[str]]
    links: dict[str, list[str]]


def layer_graph(parents: Parents) -> Layers:
    """Layers of the graph, each in the order of `parents`; links that a longer path implies are left out.

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
    return Layers(rows, links)


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
    try:
        for name in TopologicalSorter(parents).static_order():
            depth[name] = 1 + max((depth[parent] for parent in parents[name]), default=-1)
    except CycleError as error:
        raise ArtifactError(
            f"{error.args[1]} are made from one another: expected a lineage without cycles."
        ) from None
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


def mean(values: Sequence[float], otherwise: float) -> float:
    """Mean of `values`, or `otherwise` when there are none."""
    return sum(values) / len(values) if values else otherwise
