"""The JSON of `flows.data`, its schema, and what is printed."""

import io
from dataclasses import dataclass

from rich.console import Console

from tasks.formats.curation_report import CurationReport, FilterSummary
from tasks.formats.published_dataset import PublishedDataset
from tasks.reporting.data_summary import DataStage, DataSummary, summarise_data
from tasks.reporting.data_table import print_data_summary
from tasks.reporting.summary import StageSummary, schema_text
from tests.conftest import ROOT

SCHEMA = ROOT / "docs" / "data-report.schema.json"
SUMMARY = DataSummary(
    flow="data",
    dataset=PublishedDataset(repo="local/code", revision="ab" * 20, path="/a/path/that is long/" + "x" * 90),
    rows_in=1_200,
    rows_out=1_100,
    splits={"train": 1_000, "validation": 60, "test": 40},
    filters=(
        FilterSummary(name="exact_duplicates", reason="equal", rows_in=1_200, rows_out=1_100, changed=0),
        FilterSummary(name="redact", reason="secrets", rows_in=1_100, rows_out=1_100, changed=7),
    ),
    warnings=("look [at] this",),
    stages=(
        DataStage(name="extract", state="cached", seconds=0.1, key="k", digest="d", rows=1_200, bytes=9),
    ),
    seconds=3.2,
)


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_data_summary(SUMMARY, console, (("MLflow", "http://127.0.0.1:5000"),))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_committed_schema_is_current() -> None:
    remedy = "run .venv/bin/python -m tasks.reporting.data_summary > docs/data-report.schema.json"
    assert SCHEMA.read_text(encoding="utf-8").rstrip() == schema_text(DataSummary), remedy


def test_a_summary_survives_json() -> None:
    assert DataSummary.model_validate_json(SUMMARY.model_dump_json()) == SUMMARY


def test_each_step_the_splits_and_the_place_are_printed() -> None:
    text = printed(80)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "exact duplicates 1,200 1,100 100 -" in lines
    assert "redact 1,100 1,100 - 7" in lines
    assert "rows 1,200 in, 1,100 out: train 1,000, validation 60, test 40" in lines
    assert "data set local/code at abababababab" in lines
    assert "look [at] this" in lines and "MLflow http://127.0.0.1:5000" in lines
    assert SUMMARY.dataset.path in text, "a path is not wrapped"
    assert "took 3 s, 1 of 1 stages cached" in lines


@dataclass(frozen=True)
class Ran:
    """A run of two stages, of which the second measured and made no rows."""

    name: str = "data"
    mlflow_run_id: str | None = None
    seconds: float = 1.0
    outcomes: tuple[StageSummary, ...] = (
        StageSummary(name="curate", state="computed", seconds=0.1, key="k", digest="rows"),
        StageSummary(name="lengths", state="computed", seconds=0.1, key="l", digest="figures"),
    )


def test_a_stage_that_makes_no_rows_is_told_without_any() -> None:
    curation = CurationReport(
        rows_in=3, rows_out=2, splits={"train": 2}, made_splits=(), steps=(), label_merges=(), dropped_labels={},
        warnings=(),
    )  # fmt: skip
    told = summarise_data(Ran(), SUMMARY.dataset, curation, {"rows": (2, 90)}, {})
    assert [(stage.name, stage.rows, stage.bytes) for stage in told.stages] == [
        ("curate", 2, 90),
        ("lengths", None, None),
    ]
