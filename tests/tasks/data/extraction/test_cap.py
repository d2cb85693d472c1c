"""What counts against the cap: the longest reading of each file."""

import gzip
from pathlib import Path

import pytest

from infra.errors import ConfigError, CostCapError
from tasks.data.extraction.cap import Cap
from tasks.data.extraction.csv_table import CsvTable
from tasks.data.extraction.source import pin


def test_a_file_that_is_read_again_counts_once() -> None:
    reading = Cap(10).of("t.csv")
    for _ in range(3):
        count = reading()
        count(6)
        count(4)
    with pytest.raises(
        CostCapError, match=r"t\.csv: 11 bytes were found so far, unpacked, and the cap is 10"
    ):
        count(1)


def test_another_file_counts_beside_it() -> None:
    cap = Cap(10)
    cap.of("a.csv")()(6)
    with pytest.raises(CostCapError, match=r"b\.csv: 12 bytes"):
        cap.of("b.csv")()(6)


def test_a_file_at_its_cap_is_read(tmp_path: Path) -> None:
    content = b"text,label\na,x\nb,y\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    rows = [
        row
        for batch in CsvTable(tmp_path / "t.csv.gz", Cap(len(content)).of("t")).batches()
        for row in batch.to_pylist()
    ]
    assert [row["text"] for row in rows] == ["a", "b"]
    with pytest.raises(CostCapError):
        CsvTable(tmp_path / "t.csv.gz", Cap(len(content) - 1).of("t"))


def test_a_link_inside_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("text,label\na,x\n")
    (tmp_path / "train.csv").symlink_to(tmp_path / "data" / "rows.csv")
    assert [file.name for file in pin([tmp_path]).files] == ["train.csv"]


def test_a_link_that_is_given_by_name_is_read_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,x\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "t.csv").symlink_to(tmp_path / "rows.csv")
    assert len(pin([tmp_path / "folder" / "t.csv"]).files) == 1
    with pytest.raises(ConfigError, match="outside of the folder"):
        pin([tmp_path / "folder"])
