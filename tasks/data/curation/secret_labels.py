"""Labels that hold a secret or an e-mail address.

A label is the one text of a row that cannot be redacted: it is what the model answers. It goes into the rows that are
published, into their card and into the model, so whoever wants one there says so (`dataset.allow_secret_labels`). What
is told about such labels is redacted even then.
"""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import DataError
from tasks.data.curation.redact import redact, redact_texts
from tasks.data.curation.text import normalise_labels
from tasks.formats.curation_report import LabelMerge

SHOWN = 60  # characters of a label in a message


def refuse_secret_labels(labels: pa.ChunkedArray) -> None:
    """Raise DataError when labels hold what would be redacted in a text; the message has their number, and one redacted."""
    counted = pc.value_counts(normalise_labels(labels))
    names = pa.chunked_array([counted.field("values")])
    clean = redact_texts(names)
    secret = pc.not_equal(names, clean)
    found = clean.filter(secret).to_pylist()
    if not found:
        return
    rows = pc.sum(pc.filter(counted.field("counts"), secret.combine_chunks())).as_py()
    raise DataError(
        f"{len(found)} labels ({rows} rows) hold a secret or an e-mail address, such as {min(found)[:SHOWN]!r}: expected "
        "names of classes, because labels are published with the data set and the model, and are never redacted. Name "
        "another column (extract.label_column), or rename them in a query. If they may be read by anybody: "
        "--dataset.allow-secret-labels true"
    )


def told_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Rows by label, as a report may tell them: labels that are the same once they are redacted are one."""
    told: Counter[str] = Counter()
    for name, rows in counts.items():
        told[redact(name)] += rows
    return dict(told)


def told_merges(merges: tuple[LabelMerge, ...]) -> tuple[LabelMerge, ...]:
    """Spellings as a report may tell them."""
    return tuple(LabelMerge(kept=redact(one.kept), merged=told_counts(one.merged)) for one in merges)
