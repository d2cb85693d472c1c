"""What a run of `flows.data` was: the JSON of its `--report FILE.json`. Its schema is `docs/data-report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.report.data_summary > docs/data-report.schema.json`.
"""

import json

from pydantic import Field

from tasks.report.summary import StageSummary
from tasks.results.values import PublishedDataset, Value


class DataRecord(Value):
    """What the flow gives: the published data set, and where its summary lies."""

    dataset: PublishedDataset
    summary: str = Field(description="summary.json of the run")


class DataStage(StageSummary):
    """What became of one stage, and what it made."""

    rows: int = Field(description="rows of the artifact")
    bytes: int = Field(description="bytes of the artifact's files")


class FilterSummary(Value):
    """One step of curation."""

    name: str
    reason: str = Field(description="which rows are dropped or changed")
    rows_in: int
    rows_out: int
    changed: int = Field(description="rows kept with another text, label or split")


class DataSummary(Value):
    """One run of `flows.data`, from its rows to the published data set."""

    flow: str
    dataset: PublishedDataset
    rows_in: int = Field(description="rows extracted")
    rows_out: int = Field(description="rows published")
    splits: dict[str, int] = Field(description="rows of each split")
    filters: tuple[FilterSummary, ...] = Field(description="in the order in which they were applied")
    warnings: tuple[str, ...] = Field((), description="what a person should look at")
    stages: tuple[DataStage, ...] = Field(description="in the order in which they were done")
    seconds: float = Field(description="wall-clock seconds of the whole run")
    machine: dict[str, str] = Field(default_factory=dict, description="what the run was on")
    mlflow_run_id: str | None = Field(None, description="parent run in MLflow; null when tracking was down")


def schema_text() -> str:
    """JSON schema of `DataSummary`, as committed."""
    return json.dumps(DataSummary.model_json_schema(mode="serialization"), indent=2, sort_keys=True)


if __name__ == "__main__":
    print(schema_text())
