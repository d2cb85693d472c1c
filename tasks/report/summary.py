"""What a run was: the JSON of `--report FILE.json`. Its schema is `docs/report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.report.summary > docs/report.schema.json`.
"""

import json
from typing import Literal

from pydantic import Field

from tasks.results.comparison import ComparisonRow
from tasks.results.values import GateVerdict, ReleaseRecord, Value, Verdict


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
    gate: GateVerdict | None = Field(None, description="the evidence behind the verdict")
    record: ReleaseRecord | None = Field(
        None, description="names, revision and registered version of the candidate"
    )
    machine: dict[str, str] = Field(default_factory=dict, description="what the run was on")
    mlflow_run_id: str | None = Field(None, description="parent run in MLflow; null when tracking was down")
    report: str | None = Field(None, description="the HTML report")

    def row(self, name: str) -> ComparisonRow | None:
        """A row of the table by its name, None when it was not measured."""
        return next((row for row in self.rows if row.name == name), None)


def schema_text() -> str:
    """JSON schema of `RunSummary`, as committed."""
    return json.dumps(RunSummary.model_json_schema(mode="serialization"), indent=2, sort_keys=True)


if __name__ == "__main__":
    print(schema_text())
