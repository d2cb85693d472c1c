"""Names in the value of a field that takes several."""

import pytest

from flows.configs.end_to_end import EndToEndConfig
from infra.cli.listed import as_typed, lists

OPTIONS = [*lists(EndToEndConfig)]


def test_fields_that_take_several_are_found_in_their_sections() -> None:
    assert {"--extract.table", "--release.tags"} <= set(OPTIONS)
    assert "--extract.query" not in OPTIONS and "--extract.parameters" not in OPTIONS


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("[draft] t.csv", '["[draft] t.csv"]'),
        ("a.csv, {1} t.csv", '["a.csv","{1} t.csv"]'),
        ("[t.csv", '["[t.csv"]'),
        ('["a,b.csv"]', '["a,b.csv"]'),
        ("[a.csv,b.csv]", "[a.csv,b.csv]"),
        ("a.csv,b [2].csv", "a.csv,b [2].csv"),
        ('["a.csv", "b.csv"', '["a.csv", "b.csv"'),
    ],
)
def test_a_name_with_a_bracket_is_no_json_and_json_is(typed: str, read: str) -> None:
    assert as_typed(["--extract.table", typed], OPTIONS) == ["--extract.table", read]
    assert as_typed([f"--extract.table={typed}"], OPTIONS) == [f"--extract.table={read}"]


def test_the_values_of_other_fields_are_left_alone() -> None:
    argv = ["--extract.query", "[draft] t.sql", "--extract.table", "a.csv", "--extract.text-column", "[x"]
    assert as_typed(argv, OPTIONS) == argv
