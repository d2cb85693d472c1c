"""What the curation of a real corpus shows: its splits, what it consists of, what was taken out."""

from pathlib import Path

from tasks.data.curation.code.curate import curate_files
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.curation.stages import curate_code
from tests.tasks.data.curation.code.sources import repository, source, write_code
from tests.tasks.data.curation.code.test_decontaminate import PROBLEM, problems_file
from tests.tasks.sections import facts_of, shown


def test_a_corpus_shows_its_splits_what_it_is_made_of_and_what_was_taken_out(tmp_path: Path) -> None:
    solved = source("solved") + PROBLEM["prompt"] + PROBLEM["canonical_solution"]
    held = source("held")
    files = [
        *repository("one/a", 30),
        (solved, "one/a", "solved.py", "mit"),
        (held, "one/a", "copy.py", "mit"),
    ]
    files += [(held + "# by a@b.org\n", "two/b", "tests/test_held.py", "isc")]
    config = CurateCodeConfig(held_out=("two/b",), decontaminate=(problems_file(tmp_path, PROBLEM),))
    curate_files(config, write_code(tmp_path / "extract", files), tmp_path / "curated")
    section = shown(curate_code, tmp_path / "curated", tmp_path / "copy")
    assert section.title == "Corpus" and "In test as a whole: two/b." in section.lines
    facts = facts_of(section)
    assert (facts["files"], facts["copies dropped"], facts["personal data replaced"]) == ("31", "1", "1")
    assert (facts["contaminated"], facts["tests"]) == ("1", "3.2%")
    splits = {row["split"]: row for row in section.tables[0].rows}
    assert splits["test"]["files"] == 1 and splits["train"]["repositories"] == 1
    assert {figure.title for figure in section.figures} >= {"Licences", "Sizes", "Languages of comments"}
    contaminated = next(table for table in section.tables if table.title.startswith("Files with a problem"))
    assert contaminated.rows[0]["place"] == "one/a/solved.py" and contaminated.rows[0]["problem"] == "Eval/7"
    assert any(row.get("step") == "near duplicates" for table in section.tables for row in table.rows)
