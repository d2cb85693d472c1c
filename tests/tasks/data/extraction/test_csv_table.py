"""CSV as people have it: delimiters, encodings, missing cells, stray quotes."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import DataError
from tasks.data.extraction.csv_table import CsvTable
from tasks.data.extraction.encoding import detect_encoding


def written(folder: Path, text: str | bytes, name: str = "tickets.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(table: CsvTable) -> list[dict[str, object]]:
    return [row for batch in table.batches() for row in batch.to_pylist()]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    table = CsvTable(written(tmp_path, 'text,label\r\n"a, ""b""\nc",x\r\nd,y\r\n'))
    assert read(table) == [{"text": 'a, "b"\nc', "label": "x"}, {"text": "d", "label": "y"}]
    assert table.notes == ()


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_the_delimiter_is_found_and_said(tmp_path: Path, delimiter: str, name: str) -> None:
    table = CsvTable(
        written(tmp_path, f"text{delimiter}label\nyes, I do{delimiter}a\nno, never{delimiter}b\n")
    )
    assert read(table)[0] == {"text": "yes, I do", "label": "a"}
    assert name in table.notes[0]


@pytest.mark.parametrize(
    ("first", "delimiter"), [("sep=;", ";"), ("\ufeffSEP=,", ","), ('"sep=~"', "~"), ("sep=\t", "\t")]
)
def test_the_first_line_of_excel_says_the_delimiter_and_is_no_row(
    tmp_path: Path, first: str, delimiter: str
) -> None:
    path = written(tmp_path, f"{first}\r\ntext{delimiter}label\r\nno | never{delimiter}x\r\n")
    assert read(CsvTable(path)) == [{"text": "no | never", "label": "x"}]
    with pytest.raises(DataError, match=r"line 2: the header names 'a' more than once"):
        CsvTable(written(tmp_path, f"{first}\na{delimiter}a\n"))
    with pytest.raises(DataError, match=r"begins on line 3"):
        read(CsvTable(written(tmp_path, f'{first}\na{delimiter}b\n"open{delimiter}x\n')))


def test_a_byte_order_mark_and_gzip_are_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress("\ufefftext,label\né,x\n".encode()), "t.csv.gz")
    assert read(CsvTable(path)) == [{"text": "é", "label": "x"}]


def test_utf_16_of_spreadsheets_is_decoded_and_said(tmp_path: Path) -> None:
    table = CsvTable(written(tmp_path, "text\tlabel\nété\tx\n".encode("utf-16"), "t.tsv"))
    assert read(table) == [{"text": "été", "label": "x"}]
    assert "UTF-16" in table.notes[0]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Das Gerät läuft nicht – “Zitat” für 5 €"),
        ("latin-1", "Où est ma carte ? Elle a été volée à la gare"),
        ("cp1251", "Где моя карта и почему её ещё нет"),
        ("shift_jis", "カードがまだ届きません。どうすればいいですか"),
    ],
)
def test_another_encoding_is_decoded_and_said_with_its_line(tmp_path: Path, encoding: str, text: str) -> None:
    table = CsvTable(written(tmp_path, f"text,label\nplain,x\n{text},y\n".encode(encoding)))
    assert read(table)[1]["text"] == text
    assert "line 3" in table.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        ("text,label\ncafé,x\n".encode() + "café,y\n".encode("latin-1"), r"mixes encodings.*line 3"),
        (b"text,label\na\0b,x\n", r"line 2 holds NUL"),
        (
            b"text,label\n" + bytes(range(128, 256)) + b",x\n",
            r"line 2: the bytes are in no encoding.*Save the file as UTF-8",
        ),
        (b"text,text\na,b\n", r"line 1: the header names 'text' more than once"),
        (b'text,label\na,x\n"b,y\nc,z\n', r"row that begins on line 3"),
        (b'text,label\na,x\n"b" c,y\n', r"row that begins on line 3"),
        (
            b"text,label\na,x\nhello, world,y\nb, c, d,z\n",
            r"2 rows with more cells.*row 2 \(line 3\) has 3; row 3 \(line 4\) has 4",
        ),
    ],
)
def test_what_cannot_be_read_names_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"(?s){message}"):
        read(CsvTable(written(tmp_path, content)))


def test_a_line_that_the_encoding_of_the_others_cannot_say_is_named(tmp_path: Path) -> None:
    lines = "".join(f"Gerät Nummer {i} läuft nicht für Käufer,x\n" for i in range(2_000)).encode("cp1252")
    with pytest.raises(
        DataError, match=r"line 2002 cannot be decoded: the file looks like cp1252, but for b'.x81'"
    ):
        CsvTable(written(tmp_path, b"text,label\n" + lines + b"\x81,y\n"))


@pytest.mark.parametrize(("start", "remedy"), [(b"[", "jq -c"), (b" a", "the file that was meant")])
def test_a_line_without_end_is_refused_with_what_to_do(tmp_path: Path, start: bytes, remedy: str) -> None:
    path = written(tmp_path, gzip.compress(start + b"x" * (1 << 26), compresslevel=1), "t.csv.gz")
    with pytest.raises(DataError, match=rf"line 1 is longer than 64 MiB: expected one row a line.*{remedy}"):
        CsvTable(path)


def test_a_cut_archive_is_an_error_that_says_so(tmp_path: Path) -> None:
    whole = gzip.compress(b"text,label\n" + b"".join(b"%d,x\n" % i for i in range(10_000)))
    with pytest.raises(DataError, match="damaged gzip"):
        CsvTable(written(tmp_path, whole[: len(whole) // 2], "t.csv.gz"))
    with pytest.raises(DataError, match="damaged gzip"):
        CsvTable(written(tmp_path, b"text,label\n", "plain.csv.gz"))


def test_short_rows_are_filled_with_null_and_counted_and_blank_lines_said(tmp_path: Path) -> None:
    table = CsvTable(written(tmp_path, "text,label,note\na,x,1\nb\n\nc,z\nd,w,,\n"))
    assert [row["label"] for row in read(table)] == ["x", None, "z", "w"]
    assert "1 blank lines" in table.notes[0]
    assert "2 rows with fewer cells than the header (row 2, 3)" in table.notes[1]


def test_an_empty_cell_is_null_and_a_column_without_name_gets_one(tmp_path: Path) -> None:
    table = CsvTable(written(tmp_path, ",text,label\n0,,x\n1,b,\n"))
    assert table.columns == ("column_1", "text", "label")
    assert [(row["text"], row["label"]) for row in read(table)] == [(None, "x"), ("b", None)]


cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_what_the_csv_module_writes_comes_back(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("text", "label"), *rows])
    path = written(tmp_path_factory.mktemp("csv"), buffer.getvalue())
    assert [tuple(row.values()) for row in read(CsvTable(path))] == rows


def test_a_stray_nul_in_a_long_file_is_said_and_the_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"text {i},x" for i in range(300)]
    lines[150] = "te\0xt,x"
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    assert "line 152 holds a NUL character" in str(detect_encoding(path).note)
