"""What was kept before `auto` counted as what it comes to is still found, in the home that has it."""

import json
from pathlib import Path

import pytest
from prefect import flow
from pydantic import BaseModel, ConfigDict

from infra.engine.run import FlowRun, open_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.settings import get_settings
from infra.store.artifacts import KEY_LENGTH
from infra.store.fingerprint import canonical, stage_key
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.training.config import MixedPrecision

pytestmark = pytest.mark.usefixtures("prefect_server", "tracked_home")


class LearnConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    mixed_precision: MixedPrecision = "auto"


@stage(version=1, output=CheckpointRef)
def learn_in_some_precision(run: StageRun, config: LearnConfig) -> Metrics:
    """Stands for a training of minutes."""
    (run.output_dir / "weights").write_text("learnt")
    return {}


@stage(version=1, output=DatasetRef)
def use_what_was_learnt(run: StageRun, config: LearnConfig, model: CheckpointRef) -> Metrics:
    """Reads it."""
    (run.output_dir / "copy").write_text((run.path(model) / "weights").read_text())
    return {}


@flow(name="learn")
def learn() -> FlowRun:
    with open_run("learn", LearnConfig()) as run:
        use_what_was_learnt(LearnConfig(), learn_in_some_precision(LearnConfig()))
        return run


def as_it_was_kept_before() -> None:
    """The artifact under the key that the version before would have looked for."""
    (folder,) = (get_settings().artifacts / "learn_in_some_precision").iterdir()
    told = json.loads((folder / "record.json").read_text())
    key = stage_key("learn_in_some_precision", 1, canonical(LearnConfig(), former=True), {})
    assert told["config"]["mixed_precision"] in ("auto", "no")
    del told["schema"]
    told |= {"key": key, "config": {"mixed_precision": "auto"}}
    (folder / "record.json").write_text(json.dumps(told))
    folder.rename(folder.with_name(key[:KEY_LENGTH]))


def test_an_artifact_under_its_former_key_is_a_hit_and_its_reference_is_where_it_lies(home: Path) -> None:
    learn()
    as_it_was_kept_before()
    outcomes = learn().outcomes
    assert [outcome.state for outcome in outcomes] == ["cached", "cached"]
    assert [path.name for path in (home / "artifacts" / "learn_in_some_precision").iterdir()] == [
        outcomes[0].key[:KEY_LENGTH]
    ]
