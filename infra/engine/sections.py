"""What stages show of their finished artifacts: each declares a `section` and the files that it reads.

A section is made when somebody shows it, and is no part of an artifact: old ones have theirs too. What it is, is the
business of who declares and of who shows it. From a shared store only the files that it reads are fetched.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from infra.errors import ArtifactError, ConfigError, StoreError
from infra.store.artifacts import Store
from infra.store.history import Point, read_history
from infra.store.record import Record

Section = Callable[[Path], object]  # of an artifact's folder


@dataclass(frozen=True)
class Declared:
    """A stage's section, and the patterns of the names of the files that it reads (a `*` takes folders along)."""

    section: Section
    reads: tuple[str, ...]

    def names(self, files: Iterable[str]) -> tuple[str, ...]:
        """Those of an artifact's files that it reads."""
        return tuple(name for name in files if any(fnmatchcase(name, pattern) for pattern in self.reads))


_declared: dict[str, Declared] = {}


@dataclass(frozen=True)
class Shown:
    """One artifact of a run: its stage's section, if it has one, or why it cannot be had, and its step metrics."""

    record: Record
    section: object | None
    problem: str | None
    history: list[Point]


def declare_section(stage: str, section: Section | None, reads: Sequence[str]) -> None:
    """Note what a stage shows, from files whose names match the patterns `reads`.

    Raises ConfigError for a section that reads nothing, and for files that nobody reads.
    """
    if (section is None) != (not reads):
        raise ConfigError(
            f"{stage} has {'no section' if section is None else 'a section'} and reads {list(reads)}: expected both or "
            'none. Correct it: @stage(..., section=..., reads=("report.json",)).'
        )
    if section is None:
        _declared.pop(stage, None)
    else:
        _declared[stage] = Declared(section, tuple(reads))


def declared(stage: str) -> Declared | None:
    """What a stage that this process knows has declared; None for one without a section."""
    return _declared.get(stage)


def show_artifacts(store: Store, records: Iterable[Record]) -> Iterator[Shown]:
    """What each artifact shows, in their order. A section that cannot be made is said, and stops nobody."""
    for record in records:
        history = read_history(store.folder(record.stage, record.key))
        asked, section, problem = declared(record.stage), None, None
        if asked is not None:
            try:
                section = _make(asked.section, store.part(record, asked.names(record.files)), record.stage)
            except (ArtifactError, StoreError) as error:
                problem = str(error)
        yield Shown(record, section, problem, history)


def _make(section: Section, folder: Path, stage: str) -> object:
    try:
        return section(folder)
    except (OSError, LookupError, TypeError, ValueError) as error:
        # A file that is not what the stage writes.
        raise ArtifactError(
            f"{folder} has nothing to show ({type(error).__name__}: {error}): expected what {stage} writes. Delete the "
            "folder and run the flow again: it is made anew."
        ) from error
