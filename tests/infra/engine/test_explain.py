"""Why a stage is a miss, as a dry run says it."""

from infra.engine.explain import explain_miss
from infra.store.record import InputRecord, Record
from infra.store.references import ArtifactRef, Pending

OLD, NEW = "a" * 64, "b" * 64


def record(epochs: int) -> Record:
    return Record(
        stage="train", version=1, key="k" * 64, kind="ModelRef", digest=OLD, config={"epochs": epochs, "rate": 0.1},
        inputs={"dataset": InputRecord(kind="DatasetRef", uri="artifact:curate/x", digest=OLD)}, files={}, metrics={},
        seed=0, started="", finished="", seconds=1.0, mlflow_run_id=None, code_revision=None, libraries={}, hardware={},
    )  # fmt: skip


def test_what_is_chosen_from_data_that_is_not_there_yet_is_said_to_be() -> None:
    said = explain_miss(
        1, {"epochs": None, "rate": 0.2}, {"dataset": Pending(name="curate", kind="miss")}, [record(3)], None
    )
    assert said == (
        "epochs: 3 -> chosen when its inputs are there; rate: 0.1 -> 0.2; input dataset depends on curate"
    )


def test_a_field_that_was_set_back_is_told_as_it_is() -> None:
    dataset = ArtifactRef(uri="artifact:curate/y", digest=NEW)
    assert explain_miss(1, {"epochs": None, "rate": 0.1}, {"dataset": dataset}, [record(3)], None) == (
        f"epochs: 3 -> None; input dataset: {OLD[:12]} -> {NEW[:12]}"
    )
