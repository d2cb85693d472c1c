"""Labels that do not look like labels: sentences for a person to look at. Nothing is changed or dropped for them."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.curation.redact import redact

LONGEST_LABEL = 200  # characters; a class has a name, and not a paragraph
NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?")
SHOWN = 60  # characters of a label in a sentence


def label_warnings(labels: pa.ChunkedArray) -> tuple[str, ...]:
    """What is odd about merged labels (no nulls): whole texts among them, or a quantity in their place."""
    counts = {item["values"]: item["counts"] for item in pc.value_counts(labels).to_pylist()}
    return (*_too_long(counts), *_a_quantity(counts))


def _too_long(counts: dict[str, int]) -> tuple[str, ...]:
    long = sorted(name for name in counts if len(name) > LONGEST_LABEL)
    if not long:
        return ()
    rows = sum(counts[name] for name in long)
    return (
        f"{len(long)} labels ({rows} rows) are longer than {LONGEST_LABEL} characters, such as "
        f"{redact(long[0])[:SHOWN] + '…'!r}: is this really the label column? extract.label_column names another",
    )


def _a_quantity(counts: dict[str, int]) -> tuple[str, ...]:
    """Classes coded as numbers come again and again; measured numbers are mostly unique."""
    unique = sum(count == 1 for count in counts.values())
    if 2 * unique <= len(counts) or not all(NUMBER.fullmatch(name) for name in counts):
        return ()
    return (
        f"the label column looks like numbers: {unique} of its {len(counts)} labels are on one row each, such as "
        f"{', '.join(sorted(counts)[:3])}. Expected classes: name another column (extract.label_column), or make "
        "classes of its ranges in a query",
    )
