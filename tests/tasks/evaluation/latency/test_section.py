"""What a benchmark shows: a row a runtime, and how it was measured."""

from pathlib import Path

from tasks.evaluation.latency.stages import benchmark as benchmark_stage
from tasks.formats.report_file import write_report
from tests.tasks.evaluation.gate.reports import benchmark
from tests.tasks.sections import shown


def test_every_runtime_has_a_row_as_it_was_measured(tmp_path: Path) -> None:
    report = benchmark()
    write_report(tmp_path, report)
    section = shown(benchmark_stage, tmp_path, tmp_path / "copy")
    (table,) = section.tables
    assert [row["name"] for row in table.rows] == [timing.name for timing in report.models]
    text = {column.name: column.text(table.rows[-1]) for column in table.columns}
    assert (text["p50_ms"], text["size_bytes"], text["threads"]) == ("0.380", "4,900,000", "1")
    assert report.query in section.notes[0] and "15 rounds" in section.notes[0]
