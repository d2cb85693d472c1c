"""An own table becomes rows: columns found or named, splits, what is said and what is refused."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, CostCapError, DataError
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import extract_own_table
from tasks.data.extraction.own_table import OwnTable, open_own_table, plan_own_table
from tasks.data.extraction.source import pin


def opened(*paths: Path, **options: object) -> OwnTable:
    config = ExtractConfig.model_validate({"table": paths, **options})
    return open_own_table(config, pin(config.table))


def rows(table: OwnTable) -> list[dict[str, object]]:
    return [row for batch in table.batches() for row in batch.to_pylist()]


def csv_file(folder: Path, text: str, name: str = "tickets.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


TICKETS = "id,summary,section,split\n" + "".join(
    f"{i},some words about number {i},{'billing' if i % 2 else 'sales'},{'dev' if i % 5 == 0 else 'train'}\n"
    for i in range(40)
)


def test_columns_are_found_by_name_and_the_choice_is_said(tmp_path: Path) -> None:
    table = opened(csv_file(tmp_path, TICKETS))
    assert rows(table)[0] == {
        "text": "some words about number 0",
        "label": "sales",
        "split": "validation",
        "row": 1,
    }
    said = " ".join(table.notes)
    assert (
        "text is column 'summary'" in said
        and "label is column 'section'" in said
        and "'split' gives the split" in said
    )
    assert table.sql == "SELECT `summary` AS text, `section` AS label, split FROM `tickets`"


def test_text_and_label_need_no_words(tmp_path: Path) -> None:
    assert opened(csv_file(tmp_path, "text,label\na,x\n")).notes == ()


def test_of_several_names_the_plainest_is_taken_and_the_others_said(tmp_path: Path) -> None:
    table = opened(csv_file(tmp_path, "label,body,title\nbug,long,short\n"))
    assert (table.columns.text, table.columns.label) == ("title", "label")
    assert "body could be it too" in table.notes[0]


def test_columns_are_told_by_their_values_when_no_name_says_it(tmp_path: Path) -> None:
    lines = "".join(
        f"{i},what is written here is number {i},{'red' if i % 3 else 'blue'}\n" for i in range(60)
    )
    table = opened(csv_file(tmp_path, "nr,was,farbe\n" + lines))
    assert (table.columns.text, table.columns.label) == ("was", "farbe")


def test_what_could_be_either_is_asked_for(tmp_path: Path) -> None:
    lines = "".join(
        f"one thing about {i},another thing about {i},{'red' if i % 3 else 'blue'}\n" for i in range(60)
    )
    with pytest.raises(
        ConfigError, match=r"which column is the text.*was, wie could be.*--extract\.text-column"
    ):
        opened(csv_file(tmp_path, "was,wie,farbe\n" + lines))
    with pytest.raises(
        ConfigError, match=r"which column is the label.*none plainly is.*--extract\.label-column"
    ):
        opened(csv_file(tmp_path, "text,nr\none thing,1\nanother thing,2\n"))


def test_a_wrong_name_lists_the_columns_and_the_closest(tmp_path: Path) -> None:
    path = csv_file(tmp_path, TICKETS)
    with pytest.raises(
        ConfigError, match=r"no column 'sumary': it has id, summary, section, split \(closest: summary\)"
    ):
        opened(path, text_column="sumary")
    with pytest.raises(ConfigError, match=r"no column 'customer'.*--extract\.group-column"):
        opened(path, group_column="customer")


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("freeze my card please it was stolen yesterday,freeze", "is a sentence"),
        ("stolen card,freeze", "is also a value in its own column"),
        ("17,a text", "is a number"),
    ],
)
def test_a_missing_header_is_seen(tmp_path: Path, first: str, why: str) -> None:
    lines = "".join(f"words about {i},{'freeze' if i % 2 else 'thaw'}\n" for i in range(20))
    path = csv_file(tmp_path, f"{first}\n{lines}")
    with pytest.raises(DataError, match=rf"line 1 looks like data.*{why}.*Add it as the first line"):
        opened(path)
    with pytest.raises(DataError, match="line 1 looks like data"):
        opened(path, text_column="text", label_column="label")


def test_rows_without_text_or_label_are_kept_for_curation_to_count(tmp_path: Path) -> None:
    table = opened(csv_file(tmp_path, "text,label\n,x\nb,\n  ,z\n"))
    assert [(row["text"], row["label"], row["row"]) for row in rows(table)] == [
        (None, "x", 1),
        ("b", None, 2),
        ("  ", "z", 3),
    ]


def test_files_named_after_splits_give_them(tmp_path: Path) -> None:
    csv_file(tmp_path, "text,label\na,x\n", "train.csv")
    csv_file(tmp_path, "text,label\nb,y\n", "dev.csv")
    table = opened(tmp_path)
    assert [(row["text"], row["split"], row["row"]) for row in rows(table)] == [
        ("b", "validation", 1),
        ("a", "train", 1),
    ]
    assert "dev.csv is validation" in " ".join(table.notes)
    csv_file(tmp_path, "text,label\nc,z\n", "extra.csv")
    with pytest.raises(ConfigError, match=r"extra\.csv not: expected all or none"):
        opened(tmp_path)


def test_one_file_named_train_is_no_split(tmp_path: Path) -> None:
    assert "split" not in rows(opened(csv_file(tmp_path, "text,label\na,x\n", "train.csv")))[0]


def test_files_of_one_table_need_the_same_columns(tmp_path: Path) -> None:
    one, two = (
        csv_file(tmp_path, "text,label\na,x\n", "a.csv"),
        csv_file(tmp_path, "text,kind\nb,y\n", "b.csv"),
    )
    with pytest.raises(ConfigError, match=r"b\.csv has no column 'label' as a\.csv has: it has text, kind"):
        opened(one, two)


def test_a_split_that_is_none_names_the_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "text,label,part\na,x,train\nb,y,later\nc,z,\n")
    with pytest.raises(
        DataError, match=r"tickets\.csv, row 2, 3: the split is 'later', nothing\. Expected train"
    ):
        rows(opened(path, split_column="part"))


def test_a_column_called_split_with_other_values_is_not_taken_and_that_is_said(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "text,label,split\na,x,train\nb,y,foo\nc,z,\n")
    table = opened(path)
    assert "split" not in rows(table)[0]
    assert "'split' was not taken for the split, because it has 'foo', nothing: expected" in table.notes[0]
    with pytest.raises(DataError, match=r"row 2, 3: the split is 'foo', nothing"):
        rows(opened(path, split_column="split"))
    for name in ("train.csv", "test.csv"):
        path.with_name(name).write_text(path.read_text())
    notes = opened(path.with_name("train.csv"), path.with_name("test.csv")).notes
    assert len(notes) == 1 and "the files' names give the split" in notes[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"text": "b", "label": ["bug"]}, "row 2: column 'label' holds a list .*--extract.label-column"),
        ({"text": {"en": "b"}, "label": "y"}, "row 2: column 'text' holds a list or an object"),
    ],
)
def test_a_list_in_json_is_no_label_and_no_text(
    tmp_path: Path, line: dict[str, object], message: str
) -> None:
    lines = [{"text": "a", "label": "x", "more": [1]}, line]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    with pytest.raises(DataError, match=message):
        opened(path)
    path.write_text(json.dumps(lines[0]) + "\n")
    assert rows(opened(path)) == [{"text": "a", "label": "x", "row": 1}]


def test_one_column_cannot_be_the_text_and_the_label(tmp_path: Path) -> None:
    path = csv_file(tmp_path, TICKETS)
    for options in ({"text_column": "section"}, {"text_column": "id", "label_column": "id"}):
        with pytest.raises(ConfigError, match=r"is both the text and the label: expected a column for each"):
            opened(path, **options)


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["x"])]
    pq.write_table(pa.Table.from_arrays(columns, ["text", "text", "label"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet has 'text' more than once"):
        opened(tmp_path / "t.parquet")


def test_labels_may_be_numbers_and_texts_may_not(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"text": ["a", "b"], "label": [0, 1], "n": [1, 2], "tags": [["x"], []]}),
        tmp_path / "t.parquet",
    )
    assert [row["label"] for row in rows(opened(tmp_path / "t.parquet"))] == ["0", "1"]
    with pytest.raises(DataError, match=r"column 'n' holds int64: expected text"):
        rows(opened(tmp_path / "t.parquet", text_column="n"))
    with pytest.raises(DataError, match=r"column 'tags' holds list.*one value a row"):
        rows(opened(tmp_path / "t.parquet", label_column="tags"))


def test_dictionaries_and_groups_are_read_as_text(tmp_path: Path) -> None:
    labels = pa.array(["x", "y"]).dictionary_encode()
    pq.write_table(
        pa.table({"text": ["a", "b"], "label": labels, "customer": [7, None]}), tmp_path / "t.parquet"
    )
    table = opened(tmp_path / "t.parquet", group_column="customer")
    assert [(row["label"], row["group"]) for row in rows(table)] == [("x", "7"), ("y", None)]


def test_the_plan_counts_rows_and_the_cap_refuses(tmp_path: Path) -> None:
    path = csv_file(tmp_path, TICKETS)
    plan = plan_own_table(opened(path))
    assert (plan.rows, plan.bytes) == (40, path.stat().st_size)
    with pytest.raises(CostCapError, match="nothing was read"):
        opened(path, max_bytes=10)


def test_an_extract_is_the_same_bytes_each_time_and_names_no_place(tmp_path: Path) -> None:
    config = ExtractConfig(table=(csv_file(tmp_path, TICKETS),))
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        metrics = extract_own_table(config, pin(config.table), folder)
        contents.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert metrics == {"rows": 40, "bytes": len(TICKETS)}
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == ["extract.json", "provenance.json", "rows-00000.parquet"]
    assert str(tmp_path).encode() not in b"".join(contents[0].values())


def test_a_header_alone_is_no_table(tmp_path: Path) -> None:
    config = ExtractConfig(table=(csv_file(tmp_path, "text,label\n"),))
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"\.csv has a header and no rows"):
        extract_own_table(config, pin(config.table), tmp_path / "out")


def test_banking77_needs_no_option(shared_data: Path) -> None:
    table = opened(shared_data / "banking77")
    found = rows(table)
    assert table.columns.named() == {"text": "text", "label": "intent"}
    assert {split: sum(row["split"] == split for row in found) for split in ("train", "test")} == {
        "train": 10_003,
        "test": 3_080,
    }
    assert len({row["label"] for row in found}) == 77


def test_real_issues_as_csv_need_no_option(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "nlbse24_issues" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        issues = [json.loads(line) for line in lines]
    path = tmp_path / "issues.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, issues[0])
        writer.writeheader()
        writer.writerows(issues)
    table = opened(path)
    assert [(row["text"], row["label"]) for row in rows(table)] == [
        (issue["title"], issue["label"]) for issue in issues
    ]
    assert not any("fewer" in note for note in table.notes)
