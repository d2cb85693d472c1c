"""Labels: one spelling and enough rows each, none that train lacks, and which one means out of scope."""

import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import ConfigError
from tasks.data.curation.config import AUTO
from tasks.data.curation.curation_log import Filter, Judgement
from tasks.data.curation.rows import in_split
from tasks.data.curation.text import label_key, normalise_labels
from tasks.formats.curation_report import LabelMerge

OUT_OF_SCOPE_NAMES = frozenset({"oos", "outofscope"})
SHOWN = 10


def merge_spellings(labels: pa.ChunkedArray) -> tuple[pa.ChunkedArray, tuple[LabelMerge, ...]]:
    """Labels that differ by case, blanks or what is not seen become the commonest spelling (of equals, the first)."""
    clean = normalise_labels(labels)
    counts = {item["values"]: item["counts"] for item in pc.value_counts(clean).to_pylist()}
    families: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        families.setdefault(label_key(name), []).append(name)
    several = [family for _, family in sorted(families.items()) if len(family) > 1]
    merges = tuple(
        LabelMerge(kept=kept, merged={name: counts[name] for name in rest}) for kept, *rest in several
    )
    renamed = {name: family[0] for family in families.values() for name in family}
    encoded = clean.combine_chunks().dictionary_encode()
    names = pa.array([renamed[name] for name in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([names.take(encoded.indices)]), merges


def label_counts(rows: pa.Table, split: str = "train") -> Counter[str]:
    """Rows of each label in a split."""
    return Counter(rows["label"].filter(pa.array(in_split(rows, split))).to_pylist())


def rare_labels(rows: pa.Table, least: int) -> dict[str, int]:
    """Labels with fewer than `least` rows in train (where all are before a split is made), and their rows."""
    counts = label_counts(rows)
    return {name: counts[name] for name in sorted(counts) if counts[name] < least}


def drop_labels(names: dict[str, int], least: int) -> Filter:
    """Rows of labels with too few rows, in every split: what cannot be learned cannot be measured."""
    return Filter(
        "rare_labels",
        f"the label has fewer than {least} rows to learn from",
        lambda rows: Judgement(~_is_any_of(rows, list(names))),
        spares_test=False,
    )


def labels_of_train() -> Filter:
    """Rows of validation and test with a label that train does not have."""

    def judge(rows: pa.Table) -> Judgement:
        return Judgement(_is_any_of(rows, list(label_counts(rows))))

    return Filter("unknown_labels", "a label never seen in training", judge, spares_test=False)


def out_of_scope_labels(asked: str | None, names: list[str]) -> tuple[str, ...]:
    """Labels, as spelled in the rows, that may be that of what the model does not serve: the first is to be taken.

    Empty where there is none. Raises ConfigError when a label is asked for by name and no row has it.
    """
    if asked is None:
        return ()
    wanted = OUT_OF_SCOPE_NAMES if asked == AUTO else frozenset({_bare(asked)})
    found = [name for name in sorted(names, key=lambda name: (name != asked, name)) if _bare(name) in wanted]
    if not found and asked != AUTO:
        shown = ", ".join(sorted(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        raise ConfigError(
            f"dataset.out_of_scope_label is {asked!r}, and no row has it: found {shown}. "
            "Name one of these, or off when every text is in scope."
        )
    return tuple(found)


def ordered(names: list[str], out_of_scope: str | None) -> tuple[str, ...]:
    """Labels in the order of their ids: in-scope labels sorted, out of scope last."""
    inside = sorted(name for name in names if name != out_of_scope)
    return (*inside, out_of_scope) if out_of_scope in names and out_of_scope is not None else tuple(inside)


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())


def _is_any_of(rows: pa.Table, names: list[str]) -> np.ndarray:
    return pc.is_in(rows["label"], pa.array(names, pa.string())).to_numpy(zero_copy_only=False)
