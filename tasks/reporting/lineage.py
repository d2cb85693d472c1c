"""What a run ends in and all that it was made from, for the figure and the list of the page."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol

from tasks.figures.lineage import LineageNode

SOURCES = {"SourceRef": "tables", "CheckpointRef": "base model"}


class Reference(Protocol):
    """Where an artifact or a source lies, what kind it is of, and its sha256: an input as it was recorded."""

    @property
    def kind(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Made(Protocol):
    """How an artifact came to be: the stage, the kind of what it made, and out of what."""

    @property
    def stage(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, Reference]: ...


def trace(
    ends: Iterable[Reference],
    record: Callable[[Reference], Made | None],
    states: Mapping[str, Literal["computed", "cached"]],
    labels: Mapping[str, str],
) -> list[LineageNode]:
    """Every artifact that the last ones were made from, themselves first.

    `record` knows how an artifact came to be, and nothing (None) of a source; `states` are what became of the stages
    of this run, and `labels` what the flow called them on, by the digest of what each made.
    """
    nodes: dict[str, LineageNode] = {}
    waiting = list(ends)
    while waiting:
        item = waiting.pop()
        if item.uri in nodes:
            continue
        made = record(item)
        inputs = tuple(made.inputs.values()) if made else ()
        nodes[item.uri] = LineageNode(
            id=item.uri,
            name=made.stage if made else SOURCES.get(item.kind, "source"),
            kind=made.kind if made else item.kind,
            digest=item.digest,
            state=states.get(item.digest, "cached") if made else "source",
            inputs=tuple(dict.fromkeys(given.uri for given in inputs)),
        )
        waiting += inputs
    return _told_apart(list(nodes.values()), labels)


def _told_apart(nodes: list[LineageNode], labels: Mapping[str, str]) -> list[LineageNode]:
    """A stage that ran on several inputs is named with the first of them: `predict: distill`.

    Where that is the same, and the flow called one of them something, it is named so: `pack: general` beside `pack`.
    """
    names = {node.id: node.name for node in nodes}
    often = Counter(names.values())
    by_input = {
        node.id: f"{node.name}: {names[node.inputs[0]]}"
        if often[node.name] > 1 and node.inputs
        else node.name
        for node in nodes
    }
    still = Counter(by_input.values())
    called = {by_input[node.id] for node in nodes if labels.get(node.digest)}

    def name(node: LineageNode) -> str:
        usual, label = by_input[node.id], labels.get(node.digest)
        if still[usual] == 1 or usual not in called:
            return usual
        return f"{node.name}: {label}" if label else node.name

    return [node.model_copy(update={"name": name(node)}) for node in nodes]
