"""The Hub that is a folder.

Layout of a repository, `<root>/{models,datasets}/<owner>/<name>/`:

    snapshots/<revision>/...        the files; a revision is the start of their digest
    refs/main, refs/tags/<tag>      text files with a revision; tags are somebody's own
    history.jsonl                   what was pushed, oldest first: revisions with their messages and sources
    promotions.jsonl                of a model: every change of champion (infra/champions/promotions.py)
    main -> snapshots/<revision>    a path that stays the same from release to release
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from infra.errors import HubError
from infra.files import disk_errors, file_digest, file_lock, folder_digest, write_atomically
from infra.hub.protocol import (
    FOLDERS,
    JOURNAL,
    MAIN,
    NAME,
    REVISION_LENGTH,
    SHORT_REVISION,
    Access,
    JournalConflict,
    Kind,
    Revision,
    check_name,
    files_of,
    no_revision,
)

PARTIAL = ".partial-"
HISTORY = "history.jsonl"
PUSHED = TypeAdapter(dict[str, str])  # a line of it


@dataclass(frozen=True)
class LocalHub:
    """A Hub that is a folder. A push killed anywhere leaves the repository as it was or as it will be."""

    root: Path

    def push(
        self, kind: Kind, repo: str, folder: Path, message: str, source: str = "", main: bool = True
    ) -> Revision:
        """See `Hub.push`. Raises HubError (bad name, empty folder) and StoreError (the disk refuses)."""
        home = self.home(kind, repo)
        files_of(folder, repo)
        revision = folder_digest(folder)[:REVISION_LENGTH]
        with self.locked(kind, repo):
            self._write_snapshot(home, folder, revision)
            self._note(home, revision, message, source, main)
            if main:
                self.set_main(kind, repo, revision)
        return self._revision(kind, repo, revision, message)

    def made_from(self, kind: Kind, repo: str, source: str) -> Revision | None:
        """See `Hub.made_from`."""
        main, lines = self.main(kind, repo), _history(self.home(kind, repo))
        found = next((line for line in reversed(lines) if line["revision"] == main), {})
        if main is None or found.get("source") != source or not self.is_whole(kind, repo, main):
            return None
        return self._revision(kind, repo, main, found["message"])

    def main(self, kind: Kind, repo: str) -> str | None:
        """See `Hub.main`."""
        path = self.home(kind, repo) / "refs" / MAIN
        return path.read_text() if path.is_file() else None

    def set_main(self, kind: Kind, repo: str, revision: str, entry: bytes = b"", after: bytes = b"") -> None:
        """See `Hub.set_main`. The line is on the disk before `main` moves."""
        home = self.home(kind, repo)
        if entry:
            if self.journal(kind, repo) != after:
                raise JournalConflict(f"the journal of {repo} has other lines by now. Read it again.")
            _append(home / JOURNAL, len(after), entry)
        write_atomically(home / "refs" / MAIN, revision)
        _point(home / MAIN, Path("snapshots") / revision)

    def journal(self, kind: Kind, repo: str) -> bytes:
        """See `Hub.journal`."""
        path = self.home(kind, repo) / JOURNAL
        text, end, _ = path.read_bytes().rpartition(b"\n") if path.is_file() else (b"", b"", b"")
        return text + end

    def is_whole(self, kind: Kind, repo: str, revision: str) -> bool:
        """See `Hub.is_whole`."""
        snapshot = self.home(kind, repo) / "snapshots" / revision
        return snapshot.is_dir() and folder_digest(snapshot)[:REVISION_LENGTH] == revision

    @contextmanager
    def locked(self, kind: Kind, repo: str) -> Iterator[Path]:
        """See `Hub.locked`; gives the folder. The lock is the operating system's and dies with its holder.

        Raises StoreError when the disk refuses.
        """
        home = self.home(kind, repo)
        with disk_errors(home):
            for name in ("snapshots", "refs"):
                (home / name).mkdir(parents=True, exist_ok=True)
            with file_lock(home / ".lock"):
                yield home

    def resolve(self, kind: Kind, repo: str, revision: str = MAIN) -> Path:
        """See `Hub.resolve`."""
        home = self.home(kind, repo)
        snapshots = home / "snapshots"
        ref = home / "refs" / (MAIN if revision == MAIN else f"tags/{revision}")
        if NAME.fullmatch(revision) and ref.is_file() and (snapshots / ref.read_text()).is_dir():
            return snapshots / ref.read_text()
        if SHORT_REVISION.fullmatch(revision):
            found = sorted(path for path in snapshots.glob(f"{revision}*") if path.is_dir())
            if len(found) == 1:
                return found[0]
        raise no_revision(self, kind, repo, revision)

    def revisions(self, kind: Kind, repo: str) -> tuple[Revision, ...]:
        """See `Hub.revisions`."""
        lines = reversed(_history(self.home(kind, repo)))
        found = (self._revision(kind, repo, line["revision"], line["message"]) for line in lines)
        return tuple(revision for revision in found if Path(revision.path).is_dir())

    def home(self, kind: Kind, repo: str) -> Path:
        """Folder of a repository, there or not. Raises HubError for what is no name."""
        return self.root.joinpath(FOLDERS[kind], *check_name(repo))

    def name(self, repo: str) -> str:
        """See `Hub.name`."""
        return "/".join(check_name(repo))

    def address(self, kind: Kind, repo: str, revision: str | None = None) -> str:
        """See `Hub.address`."""
        home = self.home(kind, repo)
        return str(home / "snapshots" / revision if revision else home)

    def repositories(self, kind: Kind) -> tuple[str, ...]:
        """See `Hub.repositories`."""
        homes = (self.root / FOLDERS[kind]).glob("*/*")
        return tuple(sorted(f"{home.parent.name}/{home.name}" for home in homes))

    def file_digests(self, kind: Kind, repo: str, revision: str) -> set[str]:
        """See `Hub.file_digests`."""
        snapshot = self.home(kind, repo) / "snapshots" / revision
        return {file_digest(file) for file in snapshot.rglob("*") if file.is_file()}

    def access(self) -> Access:
        """See `Hub.access`."""
        there = next(place for place in (self.root, *self.root.parents) if place.exists())
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            return Access(str(self.root))
        remedy = f"Make {there} a folder that can be written, or set STILLHOUSE_HUB to another."
        return Access(str(self.root), f"{there} cannot be written", remedy)

    def _revision(self, kind: Kind, repo: str, revision: str, message: str) -> Revision:
        path = self.address(kind, repo, revision)
        return Revision(repo=repo, revision=revision, path=path, message=message)

    def _write_snapshot(self, home: Path, folder: Path, revision: str) -> None:
        """Copy under another name, then rename. A snapshot that lost its bytes is replaced."""
        snapshots = home / "snapshots"
        target, copy = snapshots / revision, snapshots / f"{PARTIAL}{revision}"
        _sweep(snapshots)
        if target.is_dir() and folder_digest(target)[:REVISION_LENGTH] == revision:
            return
        # Not copytree: it gathers what fails, and a full disk is then no longer told from the rest.
        for name, source in files_of(folder, home.name).items():
            place = copy / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        if folder_digest(copy)[:REVISION_LENGTH] != revision:
            raise HubError(f"{folder} changed while it was published: expected files at rest. Push again.")
        if target.is_dir():
            target.rename(snapshots / f"{PARTIAL}damaged")
        copy.rename(target)
        _sweep(snapshots)

    def _note(self, home: Path, revision: str, message: str, source: str, main: bool) -> None:
        lines = _history(home)
        if not main and any(
            (line["revision"], line.get("source", "")) == (revision, source) for line in lines
        ):
            return  # It stays in its place among the others of its run.
        if not lines or (lines[-1]["revision"], lines[-1].get("source", "")) != (revision, source):
            if lines and lines[-1]["revision"] == revision:
                lines.pop()  # The same bytes from another source: one revision, known by the newer one.
            lines.append({"revision": revision, "message": message, "source": source})
            text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
            write_atomically(home / HISTORY, text)


def _sweep(snapshots: Path) -> None:
    """Remove what a push that was killed left behind; only the holder of the lock may do so."""
    for left_over in snapshots.glob(f"{PARTIAL}*"):
        shutil.rmtree(left_over)


def _point(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to `target`, replacing an older one in one step."""
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def _append(path: Path, whole: int, line: bytes) -> None:
    """Add a line in one write after the whole ones and see it on the disk, its name in the folder too."""
    with path.open("ab") as file:
        file.truncate(whole)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _history(home: Path) -> list[dict[str, str]]:
    path = home / HISTORY
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else (), 1):
        try:
            pushed = PUSHED.validate_json(line)
        except ValidationError:
            pushed = {}
        if not pushed.keys() >= {"revision", "message"}:
            raise HubError(
                f"line {number} of {path} is no push: expected one as written by Stillhouse. Restore the file from a "
                "backup, or take the line away."
            )
        found.append(pushed)
    return found
