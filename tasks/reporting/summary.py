"""What a run was: the JSON of `--report FILE.json`. Its schema is `docs/report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.reporting.summary > docs/report.schema.json`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from tasks.evaluation.comparison import ComparisonRow, compare
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.gate_verdict import GateVerdict, Verdict
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.report_file import read_report
from tasks.formats.shares import Shares
from tasks.formats.value import Value


class Run(Protocol):
    """The run that is told of. An outcome, what became of one of its stages, has the fields of a `StageSummary`."""

    name: str
    mlflow_run_id: str | None

    @property
    def seconds(self) -> float: ...
    @property
    def outcomes(self) -> Sequence[object]: ...


class StageSummary(Value):
    """What became of one stage."""

    name: str
    state: Literal["computed", "cached"]
    seconds: float = Field(description="seconds it took in this run: for a cached stage, those of finding it")
    key: str = Field(description="cache key: sha256 of stage, version, config and inputs' digests")
    digest: str = Field(description="sha256 of the artifact's content")
    label: str = Field("", exclude=True, description="what the flow called it on, for the page alone")

    @property
    def shown(self) -> str:
        """Name and label: `predict: teacher`."""
        return f"{self.name}: {self.label}" if self.label else self.name


class Summary(Protocol):
    """What the page and the terminal tell of a run of any flow."""

    @property
    def flow(self) -> str: ...
    @property
    def stages(self) -> Sequence[StageSummary]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def machine(self) -> Mapping[str, str]: ...


class RunSummary(Value):
    """One run of a flow, from its stages to its release."""

    flow: str
    verdict: Verdict
    release: str | None = Field(
        description="folder of the release; null unless the verdict is pass and no rollback took it down"
    )
    seconds: float = Field(description="wall-clock seconds of the whole run")
    stages: tuple[StageSummary, ...] = Field(description="in the order in which they were done")
    rows: tuple[ComparisonRow, ...]
    shares: Shares | None = Field(
        None, description="of out-of-scope texts: what thresholds were chosen for; null without such a label"
    )
    gate: GateVerdict | None = Field(None, description="the evidence behind the verdict")
    record: ReleaseRecord | None = Field(
        None, description="names, revision and registered version of the candidate"
    )
    machine: dict[str, str] = Field(default_factory=dict, description="what the run was on")
    mlflow_run_id: str | None = Field(None, description="parent run in MLflow; null when tracking was down")
    report: str | None = Field(None, description="the HTML report")

    @property
    def taken_down(self) -> bool:
        """Whether the model passed and is not released again, for a rollback took it down."""
        return self.verdict == "pass" and self.release is None

    def row(self, name: str) -> ComparisonRow | None:
        """A row of the table by its name, None when it was not measured."""
        return next((row for row in self.rows if row.name == name), None)


def summarise(
    run: Run, record: ReleaseRecord, reports: Mapping[str, Path], page: Path, machine: Mapping[str, str]
) -> RunSummary:
    """The run that ended in `record`; `reports` are the folders of its `evaluation`, `benchmark` and `verdict`."""
    benchmark = read_report(reports["benchmark"], BenchmarkReport)
    evaluation = read_report(reports["evaluation"], EvaluationReport)
    return RunSummary(
        flow=run.name,
        verdict=record.verdict,
        release=record.path,
        seconds=round(run.seconds, 3),
        stages=stages_of(run),
        rows=compare(evaluation, benchmark),
        shares=evaluation.shares,
        gate=read_report(reports["verdict"], GateVerdict),
        record=record,
        machine={**machine, "cpu": benchmark.cpu},
        mlflow_run_id=run.mlflow_run_id,
        report=str(page),
    )


def stages_of(run: Run) -> tuple[StageSummary, ...]:
    """What became of each stage, in the order in which they were done."""
    return tuple(StageSummary.model_validate(outcome, from_attributes=True) for outcome in run.outcomes)


def read_summary(record: ReleaseRecord) -> RunSummary:
    """The JSON of the run that made a record."""
    return RunSummary.model_validate_json(Path(str(record.summary)).read_bytes())


def schema_text(kind: type[Value]) -> str:
    """JSON schema of a run's summary, as committed."""
    return json.dumps(kind.model_json_schema(mode="serialization"), indent=2, sort_keys=True)


if __name__ == "__main__":
    print(schema_text(RunSummary))
