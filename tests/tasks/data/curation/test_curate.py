"""Curation as a whole: each step counted, the test split spared, clear errors, the same bytes each time."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.errors import ArtifactError, ConfigError, DataError
from infra.store.fingerprint import canonical
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.data.curation.near import grams, jaccard
from tasks.data.curation.text import comparison_key
from tasks.formats.dataset import load_info, load_split
from tests.tasks.data.curation.extracts import (
    curated,
    read_json_lines,
    sentence,
    sentences,
    step,
    write_extract,
)

SECRET = "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6"


def with_rows(folder: Path, *rows: tuple[object, object, str]) -> None:
    """An extract of two healthy labels in three splits, and these rows (text, label, split) after them."""
    texts, labels = sentences("ab", each=30)
    names = [("train", "train", "train", "validation", "test")[i % 5] for i in range(60)]
    write_extract(
        folder / "extract",
        text=[*texts, *(row[0] for row in rows)],
        label=[*labels, *(row[1] for row in rows)],
        split=[*names, *(row[2] for row in rows)],
    )


def test_blanks_and_forms_are_normalised_in_every_split(tmp_path: Path) -> None:
    with_rows(tmp_path, ("  cafe\u0301\t\x00is \u00a0open\ufeff ", "a", "train"), ("so\nit is", "a", "test"))
    report, splits = curated(tmp_path)
    assert splits["train"][-1]["text"] == "caf\u00e9 is open"
    assert splits["test"][-1]["text"] == "so it is"
    assert step(report, "normalise").changed == 2


def test_rows_without_text_or_label_go_with_their_numbers(tmp_path: Path) -> None:
    with_rows(
        tmp_path,
        (None, "a", "test"),
        (" \x01 ", "a", "train"),
        ("words", None, "train"),
        ("words", " ", "test"),
    )
    report, _ = curated(tmp_path)
    assert step(report, "has_text").dropped == {"train": 1, "test": 1}
    assert [example.row for example in step(report, "has_text").examples] == [61, 62]
    assert [example.row for example in step(report, "has_label").examples] == [63, 64]
    assert step(report, "has_label").examples[0].text == "words"


def test_size_and_characters_are_judged_in_train_and_validation_and_spared_in_test(tmp_path: Path) -> None:
    odd = ("x", "a " * 50, "!!! ??? ...", "\ufffd\ufffd broken \ufffd")
    with_rows(tmp_path, *((text, "a", split) for split in ("train", "validation", "test") for text in odd))
    report, splits = curated(tmp_path, CurateConfig(max_words=20))
    assert step(report, "size").dropped == {"train": 2, "validation": 2}
    assert step(report, "characters").dropped == {"train": 2, "validation": 2}
    assert [row["text"] for row in splits["test"][-4:]] == [text.strip() for text in odd]


@pytest.mark.parametrize("text", ["नमस्ते दुनिया", "สวัสดีชาวโลก", "你好吗", "привет", "10:30", "ok 👍"])
def test_letters_of_any_script_are_letters(tmp_path: Path, text: str) -> None:
    with_rows(tmp_path, (text, "a", "train"))
    report, _ = curated(tmp_path)
    assert step(report, "characters").dropped == {}


def test_secrets_are_replaced_and_appear_nowhere_in_the_artifact(tmp_path: Path) -> None:
    with_rows(
        tmp_path,
        (f"my token {SECRET} leaked", "a", "train"),
        (f"mail\tbob@example.org {SECRET}", "a", "test"),
        (f"{SECRET} without a label", None, "train"),
        (f"my token {SECRET} leaked", "a", "train"),
    )
    report, splits = curated(tmp_path)
    assert splits["train"][-1]["text"] == "my token <SECRET> leaked"
    assert splits["test"][-1]["text"] == "mail <EMAIL> <SECRET>"
    assert step(report, "redact").changed == 3
    written = b"".join(path.read_bytes() for path in (tmp_path / "curated").rglob("*.json"))
    assert SECRET.encode() not in written and b"bob@" not in written


def test_redaction_can_be_turned_off_but_not_in_the_report(tmp_path: Path) -> None:
    with_rows(tmp_path, ("mail bob@example.org", "a", "train"), ("mail bob@example.org", "a", "train"))
    report, splits = curated(tmp_path, CurateConfig(redact=False))
    assert splits["train"][-1]["text"] == "mail bob@example.org"
    assert step(report, "exact_duplicates").examples[0].text == "mail <EMAIL>"


def test_labels_that_may_hold_secrets_are_taken_as_they_are(tmp_path: Path) -> None:
    names = ["bob@example.org"] * 3 + ["Bob@example.org", "rob@example.org"]
    with_rows(tmp_path, *((sentence(f"mail {i}"), name, "train") for i, name in enumerate(names)))
    report, splits = curated(tmp_path, CurateConfig(min_rows_per_label=2, allow_secret_labels=True))
    assert [row["label"] for row in splits["train"][36:]] == ["bob@example.org"] * 4
    assert "bob@example.org" in load_info(tmp_path / "curated").labels
    (merge,) = report.label_merges
    assert (merge.kept, merge.merged) == ("<EMAIL>", {"<EMAIL>": 1}) and report.dropped_labels == {
        "<EMAIL>": 1
    }
    assert step(report, "merge_labels").examples[0].note == "was '<EMAIL>'"


def test_allowing_secret_labels_counts_only_where_it_is_asked_for() -> None:
    """Nothing that was curated before there was a refusal is computed again."""
    assert "allow_secret_labels" not in canonical(CurateConfig())
    assert "allow_secret_labels" in canonical(CurateConfig(allow_secret_labels=True))


def test_spellings_of_a_label_become_the_commonest_one(tmp_path: Path) -> None:
    names = ["Bug Report"] * 3 + ["bug report", " bug  report "] + ["BugReport"] + ["bug_report"]
    with_rows(tmp_path, *((sentence(f"bug {i}"), name, "train") for i, name in enumerate(names)))
    report, splits = curated(tmp_path)
    (merge,) = report.label_merges
    assert merge.kept == "Bug Report" and merge.merged == {"BugReport": 1, "bug report": 2}
    assert [row["label"] for row in splits["train"][36:]] == ["Bug Report"] * 6 + ["bug_report"]
    assert step(report, "merge_labels").changed == 3
    assert step(report, "merge_labels").examples[1].note == "was ' bug  report '"


def test_what_nobody_sees_makes_no_second_label(tmp_path: Path) -> None:
    names = ["bug", "bug\u200b", "\u200bBu\u00adg", "bu\u200cg"]
    rows = [(sentence(f"bug {i}"), name, "train") for i, name in enumerate(names)]
    with_rows(
        tmp_path, *rows, ("nothing seen", "\u200b\u2060", "train"), ("joined", "می\u200cخواهم", "train")
    )
    report, splits = curated(tmp_path)
    assert [row["label"] for row in splits["train"][36:]] == ["bug"] * 4 + ["می\u200cخواهم"]
    assert report.label_merges[0].merged == {"Bug": 1, "bu\u200cg": 1}
    assert step(report, "has_label").dropped == {"train": 1}


def test_labels_as_long_as_texts_are_doubted(tmp_path: Path) -> None:
    with_rows(tmp_path, ("a text", f"{SECRET} " + "so much to say " * 20, "train"))
    report, _ = curated(tmp_path, CurateConfig(min_rows_per_label=1, allow_secret_labels=True))
    (warning,) = report.warnings
    assert "1 labels (1 rows) are longer than 200 characters, such as '<SECRET> so much" in warning
    assert "is this really the label column?" in warning


def test_a_quantity_in_place_of_labels_is_said_when_nothing_is_left_of_it(tmp_path: Path) -> None:
    texts, _ = sentences("a", each=40)
    write_extract(tmp_path / "extract", text=texts, label=[f"{i * 0.37:.2f}" for i in range(40)])
    with pytest.raises(
        DataError,
        match=r"rare_labels took 40 .*Noted before: the label column looks like numbers: 40 of its 40",
    ):
        curated(tmp_path, CurateConfig())
    write_extract(tmp_path / "extract", text=texts, label=[f"{i // 10}" for i in range(40)])
    assert curated(tmp_path)[0].warnings == (), "classes may be coded as numbers"


def test_conflicting_labels_are_settled_by_majority_or_all_go(tmp_path: Path) -> None:
    with_rows(
        tmp_path,
        *(
            (text, label, "train")
            for text, label in [("turn it up", "a"), ("Turn it up!", "b"), ("turn it up.", "a")]
        ),
        ("where did you grow up", "a", "train"),
        ("where did you grow up", "b", "train"),
        ("in test they stay", "a", "test"),
        ("in test they stay", "b", "test"),
    )
    report, splits = curated(tmp_path)
    assert step(report, "conflicts").dropped == {"train": 3}
    assert [(row["text"], row["label"]) for row in splits["train"][36:]] == [("turn it up", "a")]
    assert [row["label"] for row in splits["test"][-2:]] == ["a", "b"]


def test_duplicates_go_but_for_the_first_and_the_report_says_which(tmp_path: Path) -> None:
    long = f"{sentence('x')} {sentence('y')} {sentence('z')}"
    with_rows(
        tmp_path,
        (long, "a", "train"),
        (long.upper(), "a", "train"),
        (f"{long}e", "a", "train"),
        (f"{long}u", "b", "train"),
    )
    report, splits = curated(tmp_path)
    assert [example.note for example in step(report, "exact_duplicates").examples] == [
        "like row 61 (train, a)"
    ]
    assert [example.row for example in step(report, "near_duplicates").examples] == [63]
    assert [row["text"] for row in splits["train"][36:]] == [long, f"{long}u"]


def test_leaks_go_from_train_and_validation_and_never_from_test(tmp_path: Path) -> None:
    long = f"{sentence('x')} {sentence('y')}"
    with_rows(
        tmp_path,
        (long, "a", "test"),
        (long, "a", "test"),
        (long + "e", "b", "train"),
        (long + "s", "a", "validation"),
        ("only in validation", "a", "validation"),
        ("only in validation?", "b", "train"),
    )
    report, _ = curated(tmp_path)
    assert step(report, "leakage").dropped == {"train": 2, "validation": 1}
    assert report.splits == {"train": 36, "validation": 13, "test": 14}
    notes = {example.row: example.note for example in step(report, "leakage").examples}
    assert notes == {
        63: "like row 61 (test, a)",
        64: "like row 61 (test, a)",
        66: "like row 65 (validation, a)",
    }


def test_labels_with_too_few_rows_are_dropped_by_name_in_every_split(tmp_path: Path) -> None:
    rows = [(sentence(f"c{i}"), "c", "train") for i in range(4)]
    with_rows(tmp_path, *rows, ("about c", "c", "test"))
    report, _ = curated(tmp_path, CurateConfig())
    assert report.dropped_labels == {"c": 4}
    assert step(report, "rare_labels").dropped == {"train": 4, "test": 1}
    assert load_info(tmp_path / "curated").labels == ("a", "b")


def test_a_label_never_seen_in_training_is_dropped_from_test_and_said(tmp_path: Path) -> None:
    with_rows(tmp_path, ("what is this", "new", "test"))
    report, _ = curated(tmp_path)
    assert step(report, "unknown_labels").dropped == {"test": 1}
    assert step(report, "unknown_labels").reason == "a label never seen in training"


@pytest.mark.parametrize(
    ("asked", "label", "expected"),
    [
        ("auto", "oos", "oos"),
        ("auto", "Out-of-Scope", "Out-of-Scope"),
        ("auto", "A", None),
        (None, "oos", None),
        ("A", "A", "A"),
    ],
)
def test_the_out_of_scope_label_is_recognised_and_comes_last(
    tmp_path: Path, asked: str | None, label: str, expected: str | None
) -> None:
    texts, labels = sentences([label, "x", "y"], each=20)
    write_extract(tmp_path / "extract", text=texts, label=labels)
    curated(tmp_path, CurateConfig(out_of_scope_label=asked))
    info = load_info(tmp_path / "curated")
    assert info.out_of_scope == expected
    assert info.labels == (("x", "y", label) if expected else tuple(sorted(("x", "y", label))))


def test_of_two_out_of_scope_labels_the_one_taken_is_said(tmp_path: Path) -> None:
    texts, labels = sentences(["oos", "out_of_scope", "x"], each=20)
    write_extract(tmp_path / "extract", text=texts, label=labels)
    report, _ = curated(tmp_path)
    assert load_info(tmp_path / "curated").labels == ("out_of_scope", "x", "oos")
    assert "'oos' was taken for the out-of-scope label, and 'out_of_scope' could be it" in report.warnings[0]


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (
            ["x", "y"],
            r"none of the out-of-scope label 'oos' \(0 of 10 rows\).*leave the validation split out",
        ),
        (["oos"], r"nothing but rows of the out-of-scope label 'oos' \(10 of 10 rows\)"),
    ],
)
def test_validation_without_both_sides_of_the_threshold_is_said_before_training(
    tmp_path: Path, validation: list[str], message: str
) -> None:
    texts, labels = sentences(["oos", "x", "y"], each=20)
    more, others = sentences(validation, each=10 // len(validation))
    more = [f"validation {text[::-1]}" for text in more]
    split = [*(["train", "train", "train", "test"] * 15), *(["validation"] * 10)]
    write_extract(tmp_path / "extract", text=[*texts, *more], label=[*labels, *others], split=split)
    with pytest.raises(DataError, match=message):
        curated(tmp_path)
    curated(tmp_path, CurateConfig(out_of_scope_label=None))


def test_an_out_of_scope_label_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    with_rows(tmp_path)
    with pytest.raises(ConfigError, match="'unknown', and no row has it: found a, b"):
        curated(tmp_path, CurateConfig(out_of_scope_label="unknown"))


def test_the_artifact_is_what_every_stage_reads(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=30)
    write_extract(
        tmp_path / "extract",
        text=texts,
        label=labels,
        split=["train", "test", "validation"] * 20,
    )
    metrics = curate_rows(CurateConfig(rows_per_shard=7), tmp_path / "extract", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "data").glob("train-*")) == [
        f"train-0000{i}-of-00003.parquet" for i in range(3)
    ]
    schema = pq.read_schema(tmp_path / "out" / "data" / "train-00000-of-00003.parquet")
    assert schema == pa.schema([("text", pa.string()), ("label", pa.string())])
    train = load_split(tmp_path / "out", "train")
    assert train.texts == texts[::3]
    info = load_info(tmp_path / "out")
    assert info.rows == {"train": 20, "validation": 20, "test": 20} and (info.words_p50, info.words_p99) == (
        6,
        6,
    )
    assert metrics["train_rows"] == 20 and metrics["labels"] == 2


def test_the_same_rows_and_config_give_the_same_bytes(tmp_path: Path) -> None:
    texts, labels = sentences("abc", each=40)
    write_extract(tmp_path / "extract", text=texts, label=labels, group=[f"g{i // 2}" for i in range(120)])
    digests = []
    for name in ("one", "two"):
        curate_rows(CurateConfig(), tmp_path / "extract", tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        digests.append([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])
    assert digests[0] == digests[1] and len(digests[0]) == 5


def test_steps_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    with_rows(tmp_path, (None, "a", "train"), ("x", "a", "train"))
    report, _ = curated(tmp_path)
    assert report.rows_in == report.steps[0].rows_in and report.rows_out == report.steps[-1].rows_out
    for before, after in zip(report.steps, report.steps[1:], strict=False):
        assert before.rows_out == after.rows_in
    assert all(step.rows_in - step.rows_out == sum(step.dropped.values()) for step in report.steps)


def test_zero_rows_left_names_the_steps_with_what_each_took(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=10)
    write_extract(tmp_path / "extract", text=[*texts, None], label=[*labels, "a"])
    with pytest.raises(
        DataError, match=r"left of 21: has_text took 1 \(.*\), then size took 20 \(not 1000 to"
    ):
        curated(tmp_path, CurateConfig(min_characters=1000))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CurateConfig(min_rows_per_label=1), "one label only, 'a': expected two labels or more. Check"),
        (CurateConfig(min_rows_per_label=5), r"Dropped for too few rows: b \(3\)"),
    ],
)
def test_one_class_only_is_an_error(tmp_path: Path, config: CurateConfig, message: str) -> None:
    texts, labels = sentences("a", each=30)
    more = ["b"] * 3 if config.min_rows_per_label == 5 else []
    write_extract(
        tmp_path / "extract",
        text=[*texts, *(sentence(f"b{i}") for i in range(len(more)))],
        label=[*labels, *more],
    )
    with pytest.raises(DataError, match=message):
        curated(tmp_path, config)


def test_a_split_that_leaks_whole_is_an_error(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=10)
    write_extract(tmp_path / "extract", text=texts * 2 + ["more of it", "and else"], label=labels * 2 + ["a", "b"],
                  split=["validation"] * 20 + ["test"] * 20 + ["train"] * 2)  # fmt: skip
    with pytest.raises(DataError, match="the validation split has no rows left"):
        curated(tmp_path)


def test_an_extract_without_labels_is_an_error(tmp_path: Path) -> None:
    write_extract(tmp_path / "extract", text=["a b", "c d"])
    with pytest.raises(ArtifactError, match=r"lacks the columns \['label'\]"):
        curated(tmp_path)


def test_an_empty_extract_and_a_folder_that_is_none_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected an extract"):
        curate_rows(CurateConfig(), tmp_path, tmp_path / "out")
    pq.write_table(
        pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}),
        tmp_path / "rows-00000.parquet",
    )
    with pytest.raises(DataError, match="the extract has no rows"):
        curate_rows(CurateConfig(), tmp_path, tmp_path / "out")


def test_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected min <= max"):
        CurateConfig(min_words=5, max_words=4)


WORDS = ("balance", "of my", "account", "please", "transfer", "now", "the", "money", "abroad", "card")
ROWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join),
        st.sampled_from("ab"),
        st.sampled_from(("train", "validation", "test")),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, threshold=st.sampled_from([0.6, 0.8, 0.9]))
def test_no_training_text_is_near_same_to_a_measured_one(
    tmp_path: Path, rows: list[tuple[str, str, str]], threshold: float
) -> None:
    with_rows(tmp_path, *rows)
    _, splits = curated(tmp_path, CurateConfig(leakage_threshold=threshold))
    sets = {
        split: [
            grams(key)
            for key in comparison_key(pa.chunked_array([[str(row["text"]) for row in found]])).to_pylist()
        ]
        for split, found in splits.items()
    }
    for own, measured in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert all(jaccard(a, b) < threshold for a in sets[own] for b in sets[measured])
    assert len(splits["test"]) == 12 + sum(split == "test" for _, _, split in rows)


def test_clinc150_keeps_its_whole_test_split(tmp_path: Path, shared_data: Path) -> None:
    parts = {
        split: read_json_lines(shared_data / "clinc150" / "small" / f"{split}.jsonl.gz")
        for split in ("train", "validation", "test")
    }
    rows = [(row["text"], row["intent"], split) for split, found in parts.items() for row in found]
    texts, labels, names = zip(*rows, strict=True)
    write_extract(tmp_path / "extract", text=texts, label=labels, split=names)
    report, splits = curated(tmp_path, CurateConfig())
    assert report.splits["test"] == len(parts["test"])
    assert (
        len(parts["train"]) - report.splits["train"] < 40
        and len(parts["validation"]) - report.splits["validation"] < 10
    )
    assert [row["text"] for row in splits["test"]] == [" ".join(row["text"].split()) for row in parts["test"]]
    info = load_info(tmp_path / "curated")
    assert len(info.labels) == 151 and info.out_of_scope_id == 150
    assert step(report, "redact").changed == 0
    kept = {(row["text"], row["label"]) for row in splits["train"]}
    conflicting = {row["text"]: row["label"] for row in [*splits["validation"], *splits["test"]]}
    assert not any(conflicting.get(text, label) != label for text, label in kept)
    assert json.loads((tmp_path / "curated" / "curation.json").read_text())["rows_in"] == len(rows)
