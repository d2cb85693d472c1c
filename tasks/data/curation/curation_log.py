"""Keeps the book of curation: applies a filter or a change to the rows and writes down what it did."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import DataError
from tasks.data.curation.redact import redact
from tasks.data.curation.rows import in_split
from tasks.formats.curation_report import Example, Step
from tasks.formats.dataset import SPLITS

EXAMPLES = 5
EXAMPLE_CHARACTERS = 160


@dataclass(frozen=True)
class Judgement:
    """Which rows stay, bool [n]; `like`, int64 [n], if known: the row in whose favour a row is dropped."""

    keep: np.ndarray
    like: np.ndarray | None = None


@dataclass(frozen=True)
class Filter:
    """A filter is a name, a plain sentence and a short predicate.

    What only makes training better spares the test split: a test without its hard rows flatters.
    """

    name: str
    reason: str
    judge: Callable[[pa.Table], Judgement]
    spares_test: bool = True


@dataclass
class CurationLog:
    """Steps and warnings so far. `expected` says in a message what the rows should have been."""

    expected: str = "texts with labels"
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def filter(self, rows: pa.Table, rule: Filter) -> pa.Table:
        """Rows that pass. Raises DataError, with what each step took, when none is left."""
        judgement = rule.judge(rows)
        keep = judgement.keep | in_split(rows, "test") if rule.spares_test else judgement.keep
        gone = np.flatnonzero(~keep)
        dropped = rows["split"].take(pa.array(gone))
        counts = {split: int(pc.sum(pc.equal(dropped, split)).as_py() or 0) for split in SPLITS}
        self.steps.append(
            Step(
                name=rule.name,
                reason=rule.reason,
                rows_in=rows.num_rows,
                rows_out=int(keep.sum()),
                changed=0,
                dropped={split: count for split, count in counts.items() if count},
                examples=_examples(rows, gone, _likeness(rows, gone, judgement.like)),
            )
        )
        if not keep.any():
            raise DataError(self._nothing_left())
        return rows.filter(pa.array(keep)) if gone.size else rows

    def change(self, before: pa.Table, after: pa.Table, column: str, name: str, reason: str) -> pa.Table:
        """Note a step that changes one column and drops nothing; gives `after` back."""
        same = pc.fill_null(pc.equal(before[column], after[column]), True).to_numpy(zero_copy_only=False)
        changed = np.flatnonzero(~same)
        # Labels alone are shown as they were: a text without its secrets would be shown twice.
        notes = [
            f"was {redact(before[column][int(i)].as_py())!r}" if column == "label" else ""
            for i in changed[:EXAMPLES]
        ]
        self.steps.append(
            Step(
                name=name,
                reason=reason,
                rows_in=after.num_rows,
                rows_out=after.num_rows,
                changed=int(changed.size),
                examples=_examples(after, changed, notes),
            )
        )
        return after

    def warn(self, sentence: str) -> None:
        """Note what a person should look at; a label in it may hold a secret."""
        self.warnings.append(redact(sentence))

    @property
    def noted(self) -> str:
        """The warnings so far as the end of a message; empty where there are none."""
        return f" Noted before: {'; '.join(self.warnings)}." if self.warnings else ""

    def _nothing_left(self) -> str:
        taken = [(step, step.rows_in - step.rows_out) for step in self.steps]
        said = ", then ".join(f"{step.name} took {count} ({step.reason})" for step, count in taken if count)
        return (
            f"no row is left of {self.steps[0].rows_in}: {said}. Expected {self.expected}. Look at the rows, or "
            f"loosen these limits.{self.noted}"
        )


def _examples(rows: pa.Table, places: np.ndarray, notes: list[str]) -> tuple[Example, ...]:
    first = rows.take(pa.array(places[:EXAMPLES])).to_pylist()
    return tuple(
        Example(row=row["row"], text=shown(row["text"] or ""), label=redact(row["label"] or ""), note=note)
        for row, note in zip(first, notes, strict=True)
    )


def shown(text: str) -> str:
    """A text as an example has it, cut. Redacted here as well: rows may be dropped before redaction has its turn."""
    clean = redact(text)
    return clean if len(clean) <= EXAMPLE_CHARACTERS else clean[: EXAMPLE_CHARACTERS - 1] + "…"


def _likeness(rows: pa.Table, gone: np.ndarray, like: np.ndarray | None) -> list[str]:
    if like is None:
        return [""] * len(gone[:EXAMPLES])
    kept = rows.take(pa.array(like[gone[:EXAMPLES]])).to_pylist()
    return [f"like {_place(row)} ({row['split']}, {redact(row['label'])})" for row in kept]


def _place(row: dict[str, object]) -> str:
    return "another row" if row["row"] is None else f"row {row['row']}"
