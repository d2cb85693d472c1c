"""From what a run ends in back to its sources, of values that no store has made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.reporting.lineage import Reference, trace


@dataclass(frozen=True)
class Given:
    uri: str
    kind: str = "ReportRef"

    @property
    def digest(self) -> str:
        return f"digest of {self.uri}"


@dataclass(frozen=True)
class Record:
    stage: str
    inputs: Mapping[str, Given] = field(default_factory=dict)
    kind: str = "DatasetRef"


ROWS, TABLES, MODEL = Given("rows"), Given("file:///tables", "SourceRef"), Given("hub:model", "CheckpointRef")
RECORDS = {
    "rows": Record("extract", {"sources": TABLES}),
    "one": Record("predict", {"model": MODEL, "dataset": ROWS, "again": ROWS}),
    "two": Record("predict", {"dataset": ROWS}),
    "lone": Record("predict"),
}


def recorded(reference: Reference) -> Record | None:
    return RECORDS.get(reference.uri)


def test_every_artifact_is_named_once_with_what_it_was_made_from() -> None:
    nodes = {node.id: node for node in trace([Given("one"), ROWS], recorded, {ROWS.digest: "computed"}, {})}
    assert set(nodes) == {"one", "rows", "file:///tables", "hub:model"}
    assert nodes["one"].inputs == ("hub:model", "rows") and nodes["one"].state == "cached"
    assert (nodes["rows"].name, nodes["rows"].kind, nodes["rows"].state) == (
        "extract",
        "DatasetRef",
        "computed",
    )
    assert (nodes["file:///tables"].name, nodes["file:///tables"].state) == ("tables", "source")
    assert nodes["hub:model"].name == "base model"


def test_calls_of_one_stage_are_told_apart_by_their_first_input() -> None:
    nodes = {node.id: node.name for node in trace([Given(name) for name in RECORDS], recorded, {}, {})}
    assert (nodes["one"], nodes["two"], nodes["lone"]) == (
        "predict: base model",
        "predict: extract",
        "predict",
    )
    assert nodes["rows"] == "extract"


def test_calls_on_the_same_input_are_named_as_the_flow_called_them() -> None:
    several = RECORDS | {name: Record("predict", {"dataset": ROWS}) for name in ("three", "four")}
    labels = {Given("four").digest: "general", Given("one").digest: "unused"}
    ends = [Given(name) for name in ("one", "three", "four")]
    nodes = {node.id: node.name for node in trace(ends, lambda ref: several.get(ref.uri), {}, labels)}
    assert (nodes["one"], nodes["three"], nodes["four"]) == (
        "predict: base model",
        "predict",
        "predict: general",
    )
