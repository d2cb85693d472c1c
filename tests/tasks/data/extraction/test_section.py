"""What an extract shows of a real one: its SQL, whose data it is, how it was come by."""

import json
from pathlib import Path

from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import extract_own_table
from tasks.data.extraction.source import pin
from tasks.data.extraction.stages import extract
from tests.tasks.data.extraction.test_own_table import TICKETS, csv_file
from tests.tasks.sections import shown


def test_an_own_table_shows_its_query_its_file_and_what_was_noticed(tmp_path: Path) -> None:
    config = ExtractConfig(table=(csv_file(tmp_path, TICKETS),))
    (tmp_path / "out").mkdir()
    extract_own_table(config, pin(config.table), tmp_path / "out")
    section = shown(extract, tmp_path / "out", tmp_path / "copy")
    assert section.lines == ("40 rows of 1 table.",)
    assert section.listings[0].text == "SELECT `summary` AS text, `section` AS label, split FROM `tickets`"
    (row,) = section.tables[0].rows
    assert row["name"] == "tickets.csv" and len(str(row["digest"])) == 12
    assert any("text is column 'summary'" in note for note in section.notes)


def test_an_artifact_without_its_provenance_is_shown_by_what_it_says_itself(tmp_path: Path) -> None:
    record = {"sql": "SELECT 1", "dialect": "bigquery", "rows": 1_200, "sources": [{"name": "queries"}] * 2}
    (tmp_path / "extract.json").write_text(json.dumps(record))
    section = shown(extract, tmp_path, tmp_path / "copy")
    assert section.lines == ("1,200 rows of 2 tables.",)
    assert [listing.title for listing in section.listings] == ["SQL (bigquery)"]
