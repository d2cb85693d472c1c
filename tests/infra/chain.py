"""A tiny real flow of two stages and an action, run in this process or as `python -m tests.infra.chain`."""

import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from infra.engine.action import ActionRun, action
from infra.engine.run import PlanLine, RunOptions, StageOutcome, open_run, run_options
from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import DatasetRef

from prefect import flow  # isort: skip


class ChainConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    word: str = "one"
    times: int = 2
    seed: int = 7
    pause: float = Field(0.0, json_schema_extra={"key": "ignore"})
    die_in: str = Field("", json_schema_extra={"key": "ignore"})
    fail_in: str = Field("", json_schema_extra={"key": "ignore"})


class Published(BaseModel):
    size: int


COMPUTED: list[str] = []


def _act(name: str, config: ChainConfig, run: StageRun) -> None:
    COMPUTED.append(name)
    if config.fail_in == name:
        (run.output_dir / "half").write_text("half")
        raise ValueError("the stage failed")
    time.sleep(config.pause)
    if config.die_in == name:
        (run.output_dir / "half").write_text("half")
        (run.work_dir / "checkpoint").write_text("kept")
        os._exit(9)


@stage(version=1, output=DatasetRef)
def spell(run: StageRun, config: ChainConfig) -> Metrics:
    """Write the word."""
    _act("spell", config, run)
    (run.output_dir / "word.txt").write_text(config.word)
    return {"letters": len(config.word)}


@stage(version=1, output=DatasetRef)
def repeat(run: StageRun, config: ChainConfig, source: DatasetRef) -> Metrics:
    """Write the word several times."""
    _act("repeat", config, run)
    resumed = (run.work_dir / "checkpoint").exists()
    for step in range(config.times):
        run.log_metrics({"loss": 1.0 / (step + 1), "progress": step / config.times}, step)
    (run.output_dir / "words.txt").write_text((run.path(source) / "word.txt").read_text() * config.times)
    return {"resumed": float(resumed)}


@action()
def publish(run: ActionRun, config: ChainConfig, words: DatasetRef) -> Published:
    """Push the words."""
    return Published(size=(run.path(words) / "words.txt").stat().st_size)


class ChainResult(BaseModel):
    outcomes: list[StageOutcome]
    words: DatasetRef | None
    mlflow_run_id: str | None


@flow(name="chain")
def chain(config: ChainConfig) -> ChainResult:
    """Spell, repeat, publish."""
    with open_run("chain", config) as run:
        words = repeat(config, spell(config))
        publish(config, words)
        kept = words if isinstance(words, DatasetRef) else None
        return ChainResult(outcomes=run.outcomes, words=kept, mlflow_run_id=run.mlflow_run_id)


def plan(config: ChainConfig) -> list[PlanLine]:
    options = RunOptions(dry_run=True)
    with run_options(options):
        chain.fn(config)
    return options.plan


def word_file(home: Path) -> Path:
    (found,) = home.glob("artifacts/repeat/*/words.txt")
    return found


if __name__ == "__main__":
    print(chain(ChainConfig.model_validate_json(sys.argv[1])).model_dump_json())
