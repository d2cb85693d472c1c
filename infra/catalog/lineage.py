"""From an artifact back to its sources: which stage made it, out of what, when, under which MLflow run."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from infra.errors import ArtifactError
from infra.files import file_digest
from infra.hub.connect import open_hub
from infra.hub.protocol import FOLDERS, MAIN, NAME, Kind
from infra.machine.terminal import one_line
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import RECORD_FILE, InputRecord, Record
from infra.store.references import STORE_SCHEME

SHORTEST_PREFIX = 6
SHOWN = 12


def find_record(store: Store, target: str) -> Record:
    """The record that `target` means. Raises ArtifactError when there is none, or more than one.

    `target` is a reference (`artifact:stage/key`), an artifact folder or a file in it, any file or folder
    whose content was made here (a copied model, a release), a repository of the Hub (`owner/name`), or
    the first digits of a digest or key.
    """
    records = list(store.records())
    path = Path(target.removeprefix("file://"))
    if target.startswith(STORE_SCHEME):
        path = store.settings.artifacts / target.removeprefix(STORE_SCHEME)
    # What is too long for a path, or out of reach, may mean something else: Path's would raise.
    if os.path.exists(path):  # noqa: PTH110
        return _record_around(path, records) or _record_of_content(path, records)
    if (snapshot := _release(store, target)) is not None:
        return _record_of_content(snapshot, records)
    return _record_of_prefix(target, records)


def ancestors(records: Iterable[Record], starts: Iterable[Record]) -> set[str]:
    """Keys of `starts` and of all records that they were made from, however far back."""
    by_ref = {reference_of(record): record for record in records}
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        record = waiting.pop()
        if record.key not in seen:
            seen.add(record.key)
            waiting += [by_ref[given.uri] for given in record.inputs.values() if given.uri in by_ref]
    return seen


def lineage_tree(store: Store, record: Record) -> Tree:
    """The record and what it was made from, down to the sources. What comes up again is drawn once."""
    by_ref = {reference_of(other): other for other in store.records()}
    tree = Tree(record_line(record))
    _grow(tree, record, by_ref, {record.key})
    return tree


def _grow(tree: Tree, record: Record, by_ref: dict[str, Record], drawn: set[str]) -> None:
    for name, given in sorted(record.inputs.items()):
        maker = by_ref.get(given.uri)
        if maker is None:
            tree.add(one_line(f"{name}: ").append(_source(given)))
        elif maker.key in drawn:
            above = (" (drawn above)", "dim")
            tree.add(one_line(f"{name}: ", (maker.stage, "bold"), f" {maker.digest[:SHOWN]}", above))
        else:
            drawn.add(maker.key)
            _grow(tree.add(one_line(f"{name}: ").append(record_line(maker))), maker, by_ref, drawn)


def record_line(record: Record) -> Text:
    """A record on one line: stage, digest, key, when, by which code and run."""
    run = f"MLflow {record.mlflow_run_id}" if record.mlflow_run_id else "not tracked"
    code = (record.code_revision or "unknown")[:SHOWN]
    return one_line(
        (record.stage, "bold"),
        f" digest {record.digest[:SHOWN]} key {record.key[:SHOWN]} ",
        (f"{record.finished[:19]}Z, {record.seconds:.1f} s, code {code}, {run}", "dim"),
    )


def _source(given: InputRecord) -> Text:
    gone = " (no longer in the store)" if given.uri.startswith(STORE_SCHEME) else ""
    return one_line(f"{given.kind} digest {given.digest[:SHOWN]} ", (given.uri, "dim"), (gone, "yellow"))


def reference_of(record: Record) -> str:
    """What the inputs of others call it."""
    return f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}"


def _record_around(path: Path, records: list[Record]) -> Record | None:
    """The record of the artifact folder that `path` is, or is in."""
    for folder in (path.absolute(), *path.absolute().parents):
        if (folder / RECORD_FILE).is_file():
            own = (record for record in records if folder.name == record.key[:KEY_LENGTH])
            return next(own, None)
    return None


def _record_of_content(path: Path, records: list[Record]) -> Record:
    """The newest record that shares most bytes with `path`, so that a copy, or a release, leads back here."""
    sizes = {file_digest(file): file.stat().st_size for file in _files(path)}
    shared: Counter[str] = Counter()
    for record in records:
        own = {file.sha256 for file in record.files.values()}
        shared[record.key] = sum(size for digest, size in sizes.items() if digest in own)
    best = max(records, key=lambda record: shared[record.key], default=None)
    if best is None or not shared[best.key]:
        raise ArtifactError(
            f"{path} was not made here: none of its {len(sizes)} files has the content of one in the store. "
            "Give a file of an artifact or of a release, or check STILLHOUSE_HOME."
        )
    return best


def _files(path: Path) -> Iterator[Path]:
    yield from (path,) if path.is_file() else (file for file in sorted(path.rglob("*")) if file.is_file())


def _release(store: Store, target: str) -> Path | None:
    repo, _, revision = target.partition("@")
    if not all(NAME.fullmatch(part) for part in repo.split("/")) or repo.count("/") != 1:
        return None
    hub = open_hub(store.settings)
    found: Iterable[Kind] = (kind for kind in FOLDERS if hub.revisions(kind, repo))
    return next((hub.resolve(kind, repo, revision or MAIN) for kind in found), None)


def _record_of_prefix(prefix: str, records: list[Record]) -> Record:
    found = [
        record for record in records if record.digest.startswith(prefix) or record.key.startswith(prefix)
    ]
    if len(prefix) < SHORTEST_PREFIX:
        found = []
    if len({record.digest for record in found}) == 1:
        return found[0]
    what = ", ".join(f"{record.stage} {record.digest[:SHOWN]}" for record in found) or "nothing"
    raise ArtifactError(
        f"{prefix!r} means {what}: expected one artifact. Give a file, a folder, `artifact:stage/key`, a "
        f"repository (owner/name), or {SHORTEST_PREFIX} or more digits of a digest or key that only one has."
    )
