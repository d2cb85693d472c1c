"""From a source or an artifact onwards: everything that was made of it, where that is published, and what to make anew.

For a repository or a licence that is withdrawn: nothing that has it inside is forgotten.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from infra.catalog.contained import declaring, read_contained
from infra.catalog.lineage import SHOWN, find_record, record_line, reference_of
from infra.errors import ArtifactError
from infra.hub.connect import open_hub
from infra.hub.protocol import FOLDERS
from infra.machine.terminal import one_line
from infra.store.artifacts import Store
from infra.store.record import Record

SOURCE = re.compile(r"(?!artifact:|file:)([a-z]+):(?!//)(.+)", re.DOTALL)
SPELLINGS = {"license": "licence", "repository": "repo"}


@dataclass(frozen=True)
class Descent:
    """Artifacts that hold something themselves, with how much of it, and the records of all that was made of them."""

    what: str
    holders: tuple[tuple[Record, int | None], ...]
    affected: tuple[Record, ...]  # the holders too; what was made of one comes behind it

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages to run anew, in their order."""
        return tuple(dict.fromkeys(record.stage for record in self.affected))


def is_source(target: str) -> bool:
    """Whether a target names a source (`repo:owner/name`) and no artifact."""
    return SOURCE.fullmatch(target) is not None


def descent(store: Store, target: str) -> Descent:
    """What was made of `target`: a source, as `KIND:NAME`, or an artifact, as `find_record` takes it.

    Raises ArtifactError when no artifact holds the source, which says how many were looked at; or what `find_record` does.
    """
    records = list(store.records())
    if (source := SOURCE.fullmatch(target)) is None:
        start = find_record(store, target)
        return Descent(f"made of {target}", ((start, None),), _made_of(records, [start]))
    kind, name = SPELLINGS.get(source[1], source[1]), source[2]
    held = [(record, read_contained(store, record)) for record in declaring(records)]
    holders = []
    for record, sources in held:
        of_name = [
            count for known, count in sources.get(kind, {}).items() if known.casefold() == name.casefold()
        ]
        if of_name:
            holders.append((record, sum(of_name)))
    if not holders:
        names = {
            kind: {one for _, sources in held for one in sources.get(kind, ())}
            for _, all in held
            for kind in all
        }
        raise ArtifactError(_nobody(kind, name, names, records, [record for record, _ in held]))
    return Descent(f"{kind}:{name}", tuple(holders), _made_of(records, [record for record, _ in holders]))


def descent_tree(store: Store, found: Descent) -> Tree:
    """Holders, and below each what was made of it. What comes up again is drawn once."""
    records, drawn = list(store.records()), set[str]()
    root = Tree(one_line((found.what, "bold")))
    for record, count in found.holders:
        line = record_line(record)
        drawn.add(record.key)
        _grow(
            root.add(line if count is None else line.append(f" ({count:,} of its parts)")),
            record,
            records,
            drawn,
        )
    return root


def told(store: Store, found: Descent) -> Iterator[Text]:
    """Where it is published, what the holders were made from, and what to run anew, a line each."""
    for line in _published(store, found.affected):
        yield one_line("published: ", line)
    for record, count in found.holders:
        if count is not None:
            for name, given in sorted(record.inputs.items()):
                yield one_line(f"take it out of {name} of {record.stage}: ", given.uri)
    made = len(found.affected) - len(found.holders)
    yield one_line(
        f"{made} artifacts were made of {'it' if len(found.holders) == 1 else f'these {len(found.holders)}'}. To make anew, in "
        f"this order: {', '.join(found.stages)}."
    )


def _made_of(records: Iterable[Record], starts: list[Record]) -> tuple[Record, ...]:
    """`starts` and everything that has one among its inputs, directly or further back; by name or by content."""
    names = {reference_of(record) for record in starts}
    digests, found = {record.digest for record in starts}, {record.key: record for record in starts}
    # What a record was made from is older.
    for record in sorted(records, key=lambda record: record.finished):
        if record.key not in found and _is_made_of(record, names, digests):
            found[record.key] = record
            names.add(reference_of(record))
            digests.add(record.digest)
    return tuple(sorted(found.values(), key=lambda record: record.finished))


def _is_made_of(record: Record, names: set[str], digests: set[str]) -> bool:
    return any(given.uri in names or given.digest in digests for given in record.inputs.values())


def _grow(tree: Tree, record: Record, records: list[Record], drawn: set[str]) -> None:
    for other in sorted(records, key=lambda other: other.finished):
        if other.key == record.key or not _is_made_of(other, {reference_of(record)}, {record.digest}):
            continue
        if other.key in drawn:
            tree.add(one_line((other.stage, "bold"), f" {other.digest[:SHOWN]}", (" (drawn above)", "dim")))
        else:
            drawn.add(other.key)
            _grow(tree.add(record_line(other)), other, records, drawn)


def _published(store: Store, affected: tuple[Record, ...]) -> list[str]:
    """Revisions of the Hub that have a file which only the affected artifacts have."""
    keys = {record.key for record in affected}
    own = {file.sha256 for record in affected for file in record.files.values()}
    own -= {
        file.sha256 for record in store.records() if record.key not in keys for file in record.files.values()
    }
    hub = open_hub(store.settings)
    return [
        f"{kind} {hub.name(repo)}@{revision.revision[:SHOWN]}"
        for kind in FOLDERS
        for repo in hub.repositories(kind)
        for revision in hub.revisions(kind, repo)
        if hub.file_digests(kind, repo, revision.revision) & own
    ]


def _nobody(
    kind: str, name: str, names: dict[str, set[str]], records: list[Record], declared: list[Record]
) -> str:
    """Why nothing was found, in words: nothing says what it holds, or others are held."""
    stages = {record.stage for record in declared}
    silent = [record for record in records if record.stage in stages and record not in declared]
    older = (
        f" {len(silent)} more of {', '.join(sorted(stages))} are of a version that did not say: run their flow again."
        if silent
        else ""
    )
    if not declared:
        return (
            f"no artifact here says what it holds, so none is known to hold {kind}:{name}: expected a corpus. Run the flow "
            "that makes it again, or set STILLHOUSE_HOME to where it was made."
        )
    if kind not in names:
        return f"{kind!r} is no kind of source: expected one of {', '.join(sorted(names))}, as repo:owner/name.{older}"
    close = difflib.get_close_matches(name, names[kind], n=3, cutoff=0.5)
    closest = f" Closest: {', '.join(close)}." if close else ""
    return (
        f"nothing here holds {kind}:{name}: {len(declared)} artifacts ({', '.join(sorted(stages))}) say what they hold, of "
        f"{len(names[kind])} names of this kind.{closest}{older} Nothing is to be made anew, unless the name is another."
    )
