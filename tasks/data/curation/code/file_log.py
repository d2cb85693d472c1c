"""Keeps the book of a corpus' curation: which files are left, and what each step took. Texts stay where they are."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from infra.errors import DataError
from tasks.data.curation.curation_log import EXAMPLES
from tasks.formats.curation_report import Example, Step
from tasks.formats.dataset import SPLITS


@dataclass
class FileLog:
    """`split` int8 [n] is a place in `SPLITS`; `example` shows a file by its number, with a note; `place` says where it is."""

    split: np.ndarray
    example: Callable[[int, str], Example]
    place: Callable[[int], str]
    left: np.ndarray = field(init=False)
    steps: list[Step] = field(default_factory=list)
    taken: dict[str, np.ndarray] = field(default_factory=dict)  # numbers of the files that each step took
    across: int = 0  # of these, in favour of a file of another split

    def __post_init__(self) -> None:
        self.left = np.ones(len(self.split), dtype=bool)

    def drop(self, name: str, reason: str, gone: np.ndarray, like: np.ndarray | None = None) -> None:
        """Take away files, bool [n]; `like` int64 [n]: in whose favour. Raises DataError, with all steps, when none is left."""
        gone = gone & self.left
        before, places = int(self.left.sum()), np.flatnonzero(gone)
        counts = np.bincount(self.split[places], minlength=len(SPLITS))
        self.left &= ~gone
        self.taken[name] = places
        if like is not None:
            self.across += int((self.split[places] != self.split[like[places]]).sum())
        self._note(
            name,
            reason,
            before,
            [
                self.example(int(i), "" if like is None else self._likeness(int(like[i])))
                for i in places[:EXAMPLES]
            ],
            dropped={split: int(count) for split, count in zip(SPLITS, counts, strict=True) if count},
        )
        if not self.left.any():
            raise DataError(self._nothing_left())

    def change(self, name: str, reason: str, changed: np.ndarray) -> None:
        """Note that files, bool [n], have another text or place."""
        places = np.flatnonzero(changed & self.left)
        shown = [self.example(int(i), "") for i in places[:EXAMPLES]]
        self._note(name, reason, int(self.left.sum()), shown, changed=len(places))

    def set_splits(self, reason: str, split: np.ndarray) -> None:
        """Put files into splits, int8 [n]."""
        changed = split != self.split
        self.split = split
        self.change("split", reason, changed)

    def in_split(self, split: str) -> np.ndarray:
        """Numbers of the files that are left in a split, int64."""
        return np.flatnonzero(self.left & (self.split == SPLITS.index(split)))

    def held_out_first(self) -> np.ndarray:
        """Numbers of the files that are left: those of test, of validation, of train; int64."""
        left = np.flatnonzero(self.left)
        return left[np.argsort(-self.split[left], kind="stable")]

    def _note(
        self,
        name: str,
        reason: str,
        before: int,
        examples: list[Example],
        changed: int = 0,
        dropped: dict[str, int] | None = None,
    ) -> None:
        after = int(self.left.sum())
        self.steps.append(
            Step(
                name=name,
                reason=reason,
                rows_in=before,
                rows_out=after,
                changed=changed,
                dropped=dropped or {},
                examples=tuple(examples),
            )
        )

    def _likeness(self, number: int) -> str:
        return f"like {self.place(number)} ({SPLITS[self.split[number]]})"

    def _nothing_left(self) -> str:
        taken = [(step, step.rows_in - step.rows_out) for step in self.steps]
        said = ", then ".join(f"{step.name} took {count} ({step.reason})" for step, count in taken if count)
        return (
            f"no row is left of {self.steps[0].rows_in}: {said}. Expected files of code. Look at the rows, or loosen these "
            "limits."
        )
