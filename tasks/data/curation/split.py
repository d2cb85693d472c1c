"""Splits: kept as given, made where missing; stratified, seeded, near-same texts on one side."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from infra.errors import DataError
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.duplicates import near_clusters
from tasks.data.curation.rows import codes, in_split

OFF = 0.1  # relative deviation from an asked share that is worth a sentence


def given_splits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The splits of an extract, which are in all rows or in none; without them each row is of train.

    Raises DataError when splits are given and no row is left to train on.
    """
    found = sorted(pc.unique(pc.fill_null(column, "train")).to_pylist())
    if "train" not in found:
        raise DataError(
            f"the split column has only {found}: expected rows for train. Add them, or leave the column out."
        )
    return pc.fill_null(column, "train")


def missing_splits(rows: pa.Table) -> tuple[str, ...]:
    """Splits that have to be set aside from train."""
    return tuple(split for split in ("validation", "test") if not in_split(rows, split).any())


def make_splits(
    rows: pa.Table, missing: tuple[str, ...], config: CurateConfig
) -> tuple[pa.ChunkedArray, list[str]]:
    """The split column with what is missing set aside from train, and sentences on what is not as asked.

    Shares are of the rows in train before anything is set aside. Raises DataError for an empty split.
    """
    split = rows["split"].to_numpy(zero_copy_only=False).astype(object)
    pool = np.flatnonzero(split == "train")
    part = rows.take(pa.array(pool))
    labels, clusters = codes(part["label"]), near_clusters(part, config.leakage_threshold)
    shares = {"test": config.test_share, "validation": config.validation_share}
    left, said = np.arange(len(pool)), []
    for name in (name for name in ("test", "validation") if name in missing):
        share = min(shares[name] * len(pool) / len(left), 0.5)
        taken, notes = hold_out(labels[left], clusters[left], share, config.seed)
        if not taken.any():
            groups = len(np.unique(clusters[left]))
            raise DataError(
                f"no {name} split can be set aside from {len(left)} rows in {groups} groups: expected two "
                "groups or more that may be parted. Add rows, or give the split as a column."
            )
        got = taken.sum() / len(pool)
        if abs(got - shares[name]) > OFF * shares[name] + 1 / len(pool):
            notes.append(f"has {got:.1%} of the rows, {shares[name]:.0%} was asked")
        said += [f"{name}: {note}" for note in notes]
        split[pool[left[taken]]] = name
        left = left[~taken]
    return pa.chunked_array([pa.array(split, pa.string())]), said


def hold_out(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, list[str]]:
    """Rows to set aside, bool [n], about `share` of each label; and sentences on labels with too few rows.

    Rows that stand alone are parted exactly, each label within one row of its share; rows that must stay
    together go as whole groups, as near to the share as their sizes allow.
    """
    taken = np.zeros(len(labels), dtype=bool)
    together = np.bincount(groups)[groups] > 1
    alone, bound = np.flatnonzero(~together), np.flatnonzero(together)
    chosen, notes = _single_rows(labels[alone], share, seed)
    taken[alone[chosen]] = True
    taken[bound[_whole_groups(labels[bound], groups[bound], share, seed)]] = True
    return taken, notes


def _single_rows(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, list[str]]:
    enough = np.flatnonzero(np.bincount(labels, minlength=1)[labels] > 1)
    notes = []
    if len(enough) < len(labels):
        notes.append(f"{len(labels) - len(enough)} rows, each alone with its label, stay in train")
    size, least = round(share * len(enough)), len(np.unique(labels[enough]))
    if len(enough) == 0:
        return enough, notes
    if size < least:
        notes.append(f"{size} rows would be {share:.0%}; {least} were taken, as many as there are labels")
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=max(size, least), random_state=seed)
    _, chosen = next(splitter.split(enough, labels[enough]))
    return enough[chosen], notes


def _whole_groups(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The fold whose size is nearest to the share; none when there are too few groups to part them."""
    folds = min(round(1 / share), len(np.unique(groups)), int(np.bincount(labels, minlength=1).max()))
    if folds < 2:
        return np.zeros(0, dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A label with fewer rows than folds is only in some of them: that is said of the whole split.
        warnings.simplefilter("ignore", UserWarning)
        parts = [chosen for _, chosen in splitter.split(labels, labels, groups)]
    return min(parts, key=lambda part: abs(len(part) - share * len(labels)))
