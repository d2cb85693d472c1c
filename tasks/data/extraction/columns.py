"""Which column is the text, which the label: as named, or the ones that plainly are. A guess is always said."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import ConfigError, DataError
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.encoding import SHOWN
from tasks.data.extraction.source import SPLIT_NAMES

# By how plainly a name says it: of several, the first is taken, and the others are named beside it.
UNLABELLED = " Texts without labels are what `stillhouse run adapt --unlabelled true` takes."
TEXT_NAMES = (
    "text", "sentence", "query", "utterance", "question", "message", "title", "summary", "subject", "headline",
    "review", "comment", "description", "body", "content",
)  # fmt: skip
LABEL_NAMES = (
    "label", "intent", "category", "class", "section", "topic", "target", "tag", "type", "sentiment", "department",
)  # fmt: skip
MANY_WORDS = 6  # a column's name has fewer; a line of data often more
TEXT_WORDS, LABEL_WORDS = 2.0, 4.0  # mean words: a text has at least, a label at most
DISTINCT_TEXT, DISTINCT_LABEL = 0.5, 0.2  # share of distinct values: a text's is above, a label's below


@dataclass(frozen=True)
class Columns:
    """Columns of a table by what they are for. Raises ConfigError when one is both the text and the label."""

    text: str
    label: str
    split: str | None = None
    group: str | None = None
    row: str | None = None

    def __post_init__(self) -> None:
        if self.text == self.label:
            raise ConfigError(
                f"column {self.text!r} is both the text and the label: expected a column for each. Name the other: "
                "--extract.text-column or --extract.label-column."
            )

    def named(self) -> dict[str, str]:
        """Purpose -> column, those that there are."""
        return {purpose: column for purpose, column in vars(self).items() if column is not None}


def choose_columns(
    config: ExtractConfig, name: str, sample: pa.RecordBatch, header: bool, find_split: bool = True
) -> tuple[Columns, tuple[str, ...]]:
    """Columns of an own table and what is to be said of the choice; `sample` is its first rows.

    A split column that is not named is only looked for with `find_split`. Raises ConfigError when a named column is not
    there or none can be told; DataError when a column is there twice, and when the table may come without its `header`
    and the first line looks like data.
    """
    found = sample.schema.names
    refuse_repeated(found, name)
    wanted = {"text": config.text_column, "label": config.label_column}
    known = {
        purpose: column or next(iter(_candidates(found, purpose)), None) for purpose, column in wanted.items()
    }
    if header and not all(column in found for column in known.values()) and (why := _looks_like_data(sample)):
        raise DataError(
            f"{name}, line 1 looks like data: {why}. Expected a header with the columns' names, such as "
            "text,label. Add it as the first line."
        )
    text = known["text"] or _by_values(name, sample, "text", taken=known["label"])
    label = known["label"] or _by_values(name, sample, "label", taken=text)
    by_name, doubts = _split_by_name(sample) if find_split and config.split_column is None else (None, ())
    columns = Columns(text, label, config.split_column or by_name, config.group_column)
    for purpose, column in columns.named().items():
        if column not in found:
            raise ConfigError(
                f"{name} has no column {column!r}: {offered(column, found)}. Correct --extract.{purpose}-column."
            )
    return columns, (*_said(config, columns, found), *doubts)


def refuse_repeated(found: Sequence[str], name: str) -> None:
    """Raise DataError when a table or a result has two columns of one name, as BigQuery does."""
    if twice := sorted({column for column in found if found.count(column) > 1}):
        raise DataError(
            f"{name} has {', '.join(map(repr, twice))} more than once: expected a name for each column. Leave the "
            "other out, or rename it (AS, in a query)."
        )


def offered(name: str, found: Sequence[str]) -> str:
    """What columns there are, and which is closest to `name`."""
    close = difflib.get_close_matches(name.lower(), [column.lower() for column in found], n=1, cutoff=0.5)
    closest = [column for column in found if close and column.lower() == close[0]][:1]
    return f"it has {', '.join(found)}" + (f" (closest: {closest[0]})" if closest else "")


def _candidates(found: Sequence[str], purpose: str) -> list[str]:
    names = TEXT_NAMES if purpose == "text" else LABEL_NAMES
    return [column for name in names for column in found if column.strip().lower() == name]


def _by_values(name: str, sample: pa.RecordBatch, purpose: str, taken: str | None) -> str:
    """The one column whose values are plainly texts, or labels. Raises ConfigError when none or several are."""
    free = [column for column in sample.schema.names if column != taken]
    candidates = [column for column in free if _is_plainly(sample.column(column), purpose)]
    if len(candidates) == 1:
        return candidates[0]
    which = f"{', '.join(candidates)} could be" if candidates else "none plainly is"
    raise ConfigError(
        f"{name}: which column is the {purpose} cannot be told from {', '.join(sample.schema.names)}: {which}. Name "
        f"it: --extract.{purpose}-column COLUMN." + (UNLABELLED if purpose == "label" else "")
    )


def _is_plainly(values: pa.Array, purpose: str) -> bool:
    kind = values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    texts = values.drop_null()
    if not len(texts):
        return False
    words = pc.mean(pc.add(pc.count_substring_regex(texts, r"\S\s+\S"), 1)).as_py()
    distinct = len(texts.unique())
    share = distinct / len(texts)
    if purpose == "text":
        return words >= TEXT_WORDS and share >= DISTINCT_TEXT
    return words <= LABEL_WORDS and share <= DISTINCT_LABEL and distinct > 1


def _split_by_name(sample: pa.RecordBatch) -> tuple[str | None, tuple[str, ...]]:
    """A column called `split` whose values are splits; one that holds others may mean something else, which is said."""
    for column in sample.schema.names:
        if column.strip().lower() != "split":
            continue
        values = sample.column(column).to_pylist()
        other = [value for value in values if str(value).strip().lower() not in SPLIT_NAMES]
        unknown = sorted({"nothing" if value is None else repr(value) for value in other})
        if not unknown:
            return column, ()
        shown = ", ".join(unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        return None, (
            f"column {column!r} was not taken for the split, because it has {shown}: expected train, validation or "
            "test in every row; correct it, or --extract.split-column names another",
        )
    return None, ()


def _looks_like_data(sample: pa.RecordBatch) -> str | None:
    for column in sample.schema.names:
        if re.fullmatch(r"-?\d+([.,]\d+)?", column):
            return f"{column!r} is a number"
        if len(column.split()) > MANY_WORDS:
            return f"{column[:60]!r} is a sentence"
        if pc.any(pc.equal(sample.column(column), column)).as_py():
            return f"{column!r} is also a value in its own column"
    return None


def _said(config: ExtractConfig, columns: Columns, found: Sequence[str]) -> list[str]:
    said = []
    for purpose, asked, chosen in (
        ("text", config.text_column, columns.text),
        ("label", config.label_column, columns.label),
    ):
        others = [column for column in _candidates(found, purpose) if column != chosen]
        if asked is None and (chosen != purpose or others):
            also = f" ({', '.join(others)} could be it too)" if others else ""
            said.append(f"the {purpose} is column {chosen!r}{also}; --extract.{purpose}-column names another")
    if config.split_column is None and columns.split is not None:
        said.append(f"column {columns.split!r} gives the split; --extract.split-column names another")
    return said
