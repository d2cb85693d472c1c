"""What a run of `flows.data` was: the JSON of its `--report FILE.json`. Its schema is `docs/data-report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.reporting.data_summary > docs/data-report.schema.json`.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from tasks.formats.curation_report import CurationReport, FilterSummary
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.value import Value
from tasks.reporting.summary import Run, StageSummary, schema_text, stages_of


class DataRecord(Value):
    """What the flow gives: the published data set, and where its summary lies."""

    dataset: PublishedDataset
    summary: str = Field(description="summary.json of the run")


class DataStage(StageSummary):
    """What became of one stage, and what it made."""

    rows: int | None = Field(description="rows of the artifact; null: it holds none")
    bytes: int | None = Field(description="bytes of the artifact's files; null where it holds no rows")


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


def summarise_data(
    run: Run,
    published: PublishedDataset,
    curation: CurationReport,
    made: Mapping[str, tuple[int, int]],
    machine: dict[str, str],
) -> DataSummary:
    """The run that ended in `published`; `made` are rows and bytes of the artifacts that hold rows, by digest."""
    stages = []
    for stage in stages_of(run):
        rows, size = made.get(stage.digest, (None, None))
        stages.append(DataStage(**stage.model_dump(), rows=rows, bytes=size))
    return DataSummary(
        flow=run.name,
        dataset=published,
        rows_in=curation.rows_in,
        rows_out=curation.rows_out,
        splits=curation.splits,
        filters=tuple(FilterSummary.model_validate(step, from_attributes=True) for step in curation.steps),
        warnings=curation.warnings,
        stages=tuple(stages),
        seconds=round(run.seconds, 3),
        machine=machine,
        mlflow_run_id=run.mlflow_run_id,
    )


def read_data_summary(record: DataRecord) -> DataSummary:
    """The JSON of the run that made a record."""
    return DataSummary.model_validate_json(Path(record.summary).read_bytes())


if __name__ == "__main__":
    print(schema_text(DataSummary))
