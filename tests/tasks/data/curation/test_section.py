"""What curation shows of a real data set: each step with what it took, examples, what a person should look at."""

from pathlib import Path

from tasks.data.curation.stages import curate
from tests.tasks.data.curation.extracts import curated, sentences, write_extract
from tests.tasks.sections import shown


def test_each_step_shows_what_it_took_and_an_example_of_it(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=30)
    write_extract(tmp_path / "extract", text=[*texts, texts[0], None], label=[*labels, "a", "a"])
    report, _ = curated(tmp_path)
    section = shown(curate, tmp_path / "curated", tmp_path / "copy")
    assert section.lines[0].startswith(f"62 rows came in, {report.rows_out} went out: ")
    steps = {row["step"]: row for row in section.tables[0].rows}
    assert list(steps) == [step.name.replace("_", " ") for step in report.steps]
    assert steps["has text"]["dropped"] == 1 and steps["has label"]["dropped"] is None
    examples = next(table for table in section.tables if table.title.startswith("Rows that were dropped"))
    assert examples.folded and {row["row"] for row in examples.rows} >= {"61", "62"}
    assert section.warnings == report.warnings
