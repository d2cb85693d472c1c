"""Curate: rows as they were extracted become a data set to train on, and each step says what it took.

    python -m flows.end_to_end --dataset.min-characters 10

Order matters: texts are made final first (blanks, secrets), then labels; rows are judged one by one, then
against each other in their split; last, splits are completed and cleaned of each other's texts.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from infra.errors import DataError
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curation_log import CurationLog
from tasks.data.curation.duplicates import conflicts, exact_duplicates, leakage, near_duplicates
from tasks.data.curation.filters import count_words, presence_filters, row_filters
from tasks.data.curation.label_warnings import label_warnings
from tasks.data.curation.labels import (
    drop_labels,
    label_counts,
    labels_of_train,
    merge_spellings,
    ordered,
    out_of_scope_labels,
    rare_labels,
)
from tasks.data.curation.redact import redact_texts
from tasks.data.curation.rows import in_split, read_rows, replace, write_dataset
from tasks.data.curation.secret_labels import refuse_secret_labels, told_counts, told_merges
from tasks.data.curation.split import given_splits, make_splits, missing_splits
from tasks.data.curation.text import comparison_key, normalise
from tasks.formats.curation_report import REPORT_FILE, CurationReport, LabelMerge
from tasks.formats.dataset import SPLITS, DatasetInfo
from tasks.formats.value import write_value

SHOWN = 10


def curate_rows(config: CurateConfig, extract: Path, output: Path) -> dict[str, float]:
    """Read an extract, write the curated artifact (data/, dataset.json, curation.json), give its metrics.

    Raises DataError when no row or fewer than two labels are left, labels hold secrets, a split cannot be made, or
    validation cannot serve to choose an out-of-scope threshold; ConfigError for an out-of-scope label that no row has.
    """
    log = CurationLog()
    rows = read_rows(extract)
    rows_in = rows.num_rows
    rows = replace(rows, "split", given_splits(rows["split"]))
    rows, merges = _clean(rows, config, log)
    rows = _distinct(rows, config, log)
    rare = rare_labels(rows, config.min_rows_per_label)
    rows = log.filter(rows, drop_labels(rare, config.min_rows_per_label))
    rows, made = _complete_splits(rows, config, log)
    rows = log.filter(rows, leakage(config.leakage_threshold))
    rows = log.filter(rows, labels_of_train())
    _check_learnable(rows, rare, log)
    info = _describe(rows, config, log)
    _check_threshold(rows, info, made)
    write_dataset(rows, info, output, config.rows_per_shard)
    report = CurationReport(
        rows_in=rows_in,
        rows_out=rows.num_rows,
        splits=info.rows,
        made_splits=made,
        steps=tuple(log.steps),
        label_merges=told_merges(merges),
        dropped_labels=told_counts(rare),
        warnings=tuple(log.warnings),
    )
    write_value(output / REPORT_FILE, report)
    return report.metrics() | {"labels": float(len(info.labels))}


def _clean(rows: pa.Table, config: CurateConfig, log: CurationLog) -> tuple[pa.Table, tuple[LabelMerge, ...]]:
    """Final texts and labels, and the column `key`; rows that are of no use on their own are gone."""
    after = replace(rows, "text", normalise(rows["text"]))
    rows = log.change(
        rows, after, "text", "normalise", "Unicode composed (NFC), blanks and control characters joined"
    )
    for rule in presence_filters():
        rows = log.filter(rows, rule)
    if config.redact:
        after = replace(rows, "text", redact_texts(rows["text"]))
        rows = log.change(rows, after, "text", "redact", "secrets and e-mail addresses replaced")
    if not config.allow_secret_labels:
        refuse_secret_labels(rows["label"])
    labels, merges = merge_spellings(rows["label"])
    after = replace(rows, "label", labels)
    rows = log.change(
        rows, after, "label", "merge_labels", "labels that differ by case or blanks, commonest spelling"
    )
    for doubt in label_warnings(labels):
        log.warn(doubt)
    for rule in row_filters(config):
        rows = log.filter(rows, rule)
    return rows.append_column("key", comparison_key(rows["text"])), merges


def _distinct(rows: pa.Table, config: CurateConfig, log: CurationLog) -> pa.Table:
    """Each text once in its split, with one label; test stays as it was given."""
    rows = log.filter(rows, conflicts())
    rows = log.filter(rows, exact_duplicates())
    if config.near_duplicate_threshold is not None:
        rows = log.filter(rows, near_duplicates(config.near_duplicate_threshold))
    return rows


def _complete_splits(
    rows: pa.Table, config: CurateConfig, log: CurationLog
) -> tuple[pa.Table, tuple[str, ...]]:
    missing = missing_splits(rows)
    if not missing:
        _warn_of_parted_groups(rows, log)
        return log.change(rows, rows, "split", "split", "kept as given"), ()
    column, notes = make_splits(rows, missing, config)
    for note in notes:
        log.warn(note)
    after = replace(rows, "split", column)
    made = " and ".join(missing)
    reason = f"{made} set aside from train: stratified, near-same texts together, seed {config.seed}"
    return log.change(rows, after, "split", "split", reason), missing


def _warn_of_parted_groups(rows: pa.Table, log: CurationLog) -> None:
    named = rows.filter(rows["group"].is_valid()).group_by("group").aggregate([("split", "count_distinct")])
    if parted := int((named["split_count_distinct"].to_numpy() > 1).sum()):
        log.warn(f"{parted} groups have rows in several of the given splits: results on them may flatter")


def _check_learnable(rows: pa.Table, rare: dict[str, int], log: CurationLog) -> None:
    labels = sorted(label_counts(rows))
    if len(labels) < 2:
        found = f"one label only, {labels[0]!r}" if labels else "no rows"
        gone = ", ".join(f"{name} ({count})" for name, count in list(rare.items())[:SHOWN])
        dropped = (
            f"Dropped for too few rows: {gone}; dataset.min_rows_per_label lowers that. " if rare else ""
        )
        raise DataError(
            f"train has {found}: expected two labels or more. {dropped}Check the label column, or add rows."
            f"{log.noted}"
        )
    for split in SPLITS[1:]:
        if not in_split(rows, split).any():
            raise DataError(
                f"the {split} split has no rows left: expected texts unlike the other splits', with labels "
                "of train. Give other rows, or leave the split column out to have it made."
            )


def _check_threshold(rows: pa.Table, info: DatasetInfo, made: tuple[str, ...]) -> None:
    """The threshold of the out-of-scope rule is chosen on validation: better said here than after training."""
    if info.out_of_scope is None:
        return
    outside = label_counts(rows, "validation")[info.out_of_scope]
    if 0 < outside < info.rows["validation"]:
        return
    lacking = "none" if not outside else "nothing but rows"
    remedy = (
        "Add rows of it and of the others"
        if "validation" in made
        else "Move some rows of it and of the others there, or leave the validation split out to have it made"
    )
    raise DataError(
        f"validation has {lacking} of the out-of-scope label {info.out_of_scope!r} ({outside} of "
        f"{info.rows['validation']} rows): both it and other labels are needed to choose the threshold. {remedy}; "
        "or set dataset.out_of_scope_label to off, and it is a class like the others."
    )


def _describe(rows: pa.Table, config: CurateConfig, log: CurationLog) -> DatasetInfo:
    train = in_split(rows, "train")
    names = sorted(label_counts(rows))
    words = np.sort(count_words(rows["text"].filter(pa.array(train))))
    out_of_scope, *others = out_of_scope_labels(config.out_of_scope_label, names) or (None,)
    if others:
        log.warn(
            f"{out_of_scope!r} was taken for the out-of-scope label, and {', '.join(map(repr, others))} could be it "
            "too, but is a class like any other now; give them one name, or set dataset.out_of_scope_label to the one"
        )
    return DatasetInfo(
        labels=ordered(names, out_of_scope),
        out_of_scope=out_of_scope,
        rows={split: int(in_split(rows, split).sum()) for split in SPLITS},
        words_p50=int(np.percentile(words, 50, method="higher")),
        words_p99=int(np.percentile(words, 99, method="higher")),
    )
