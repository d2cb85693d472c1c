"""What the runs of flows of language models have in common: their record, and what is said of a run beside its result."""

from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.formats.value import Value
from tasks.reporting.summary import Run, StageSummary, stages_of


class LanguageModelRecord(Value):
    """What such a flow gives: a checkpoint, and where its summary lies."""

    checkpoint: str = Field(description="artifact:STAGE/KEY")
    digest: str = Field(description="sha256 of the checkpoint")
    summary: str = Field(description="summary.json of the run")


class LanguageModelSummary(Value):
    """One run, without what came of it."""

    flow: str
    stages: tuple[StageSummary, ...] = Field(description="in the order in which they were done")
    seconds: float = Field(description="wall-clock seconds of the whole run")
    machine: dict[str, str] = Field(default_factory=dict, description="what the run was on")
    mlflow_run_id: str | None = Field(None, description="parent run in MLflow; null when tracking was down")
    report: str = Field(description="the HTML report")


def run_facts(run: Run, page: Path, machine: dict[str, str]) -> dict[str, Any]:
    """The fields of a LanguageModelSummary, of a run that is shown on `page`."""
    return {
        "flow": run.name,
        "stages": stages_of(run),
        "seconds": round(run.seconds, 3),
        "machine": machine,
        "mlflow_run_id": run.mlflow_run_id,
        "report": str(page),
    }
