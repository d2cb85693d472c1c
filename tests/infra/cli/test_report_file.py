"""The file of `--report` before and after a run."""

from pathlib import Path

from infra.cli.report_file import claim, write


def test_a_claimed_report_keeps_what_it_holds_until_it_is_written(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("of yesterday")
    claim(report)
    assert report.read_text() == "of yesterday"
    write(report, "of today")
    assert report.read_text() == "of today"


def test_claiming_a_new_report_makes_its_folder_and_no_file(tmp_path: Path) -> None:
    claim(tmp_path / "out" / "report.json")
    assert list((tmp_path / "out").iterdir()) == []
