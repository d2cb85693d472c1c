"""Where models and data sets are published: a local folder now, huggingface.co later.

Local layout of a repository, `<root>/{models,datasets}/<owner>/<name>/`:

    snapshots/<revision>/...        the files; a revision is the start of their digest
    refs/main, refs/tags/<tag>      text files with a revision
    history.jsonl                   what was pushed, oldest first: revisions with their messages and sources
    promotions.jsonl                of a model: every change of champion (infra/promotions.py)
    main -> snapshots/<revision>    a path that stays the same from release to release
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlparse

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field

from infra.errors import ConfigError, HubError
from infra.fingerprint import folder_digest
from infra.settings import get_settings
from infra.store import disk_errors, write_atomically

Kind = Literal["model", "dataset"]
FOLDERS: dict[Kind, str] = {"model": "models", "dataset": "datasets"}
REVISION_LENGTH = 40
PARTIAL = ".partial-"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HISTORY = "history.jsonl"
MAIN = "main"


class Revision(BaseModel):
    """One published state of a repository."""

    model_config = ConfigDict(frozen=True)

    repo: str = Field(description="owner/name")
    revision: str = Field(description="40 hex digits")
    path: str = Field(description="folder of the snapshot, or its address")
    message: str = Field("", description="what the push said of itself")


class Hub(Protocol):
    """A place for repositories of models and data sets. Pushing the same bytes again changes nothing."""

    def push(
        self,
        kind: Kind,
        repo: str,
        folder: Path,
        message: str,
        tag: str | None = None,
        source: str = "",
        main: bool = True,
    ) -> Revision:
        """Publish all files of `folder` as the new `main` of owner/name (unless told not), and under `tag` if given.

        `source` is the key of what the files were made from, for `made_from`.
        """
        ...

    def made_from(self, kind: Kind, repo: str, source: str) -> Revision | None:
        """`main`, when it was pushed with this `source` and has its bytes still; None otherwise."""
        ...

    def resolve(self, kind: Kind, repo: str, revision: str = MAIN) -> Path:
        """Local folder of a revision (`main`, a tag, at least 7 digits of one). Raises HubError."""
        ...

    def revisions(self, kind: Kind, repo: str) -> tuple[Revision, ...]:
        """What was published, newest first; empty for a repository that does not exist."""
        ...


@dataclass(frozen=True)
class LocalHub:
    """A Hub that is a folder. A push killed anywhere leaves the repository as it was or as it will be."""

    root: Path

    def push(
        self,
        kind: Kind,
        repo: str,
        folder: Path,
        message: str,
        tag: str | None = None,
        source: str = "",
        main: bool = True,
    ) -> Revision:
        """See `Hub.push`. Raises HubError (bad name, empty folder) and StoreError (the disk refuses)."""
        home = self.home(kind, repo)
        _check_tag(tag)
        if not any(path.is_file() for path in folder.rglob("*")):
            raise HubError(f"{folder} has no files: expected what {repo} is to publish. Run its stage first.")
        revision = folder_digest(folder)[:REVISION_LENGTH]
        with self.locked(kind, repo):
            self._write_snapshot(home, folder, revision)
            self._note(home, revision, message, source)
            if tag is not None:
                write_atomically(home / "refs" / "tags" / tag, revision)
            if main:
                self.set_main(kind, repo, revision)
        snapshot = home / "snapshots" / revision
        return Revision(repo=repo, revision=revision, path=str(snapshot), message=message)

    def made_from(self, kind: Kind, repo: str, source: str) -> Revision | None:
        """See `Hub.made_from`."""
        main = self.main(kind, repo)
        found = next(
            (line for line in reversed(_history(self.home(kind, repo))) if line["revision"] == main), None
        )
        if (
            main is None
            or found is None
            or found.get("source") != source
            or not self.is_whole(kind, repo, main)
        ):
            return None
        snapshot = self.home(kind, repo) / "snapshots" / main
        return Revision(repo=repo, revision=main, path=str(snapshot), message=found["message"])

    def main(self, kind: Kind, repo: str) -> str | None:
        """The revision that `main` is; None for a repository without one."""
        path = self.home(kind, repo) / "refs" / MAIN
        return path.read_text() if path.is_file() else None

    def set_main(self, kind: Kind, repo: str, revision: str) -> None:
        """Make a published revision `main`. The caller holds `locked`."""
        home = self.home(kind, repo)
        write_atomically(home / "refs" / MAIN, revision)
        _point(home / MAIN, Path("snapshots") / revision)

    def is_whole(self, kind: Kind, repo: str, revision: str) -> bool:
        """Whether a revision is there with every byte that it was published with."""
        snapshot = self.home(kind, repo) / "snapshots" / revision
        return snapshot.is_dir() and folder_digest(snapshot)[:REVISION_LENGTH] == revision

    @contextmanager
    def locked(self, kind: Kind, repo: str) -> Iterator[Path]:
        """Hold a repository alone; gives its folder. The lock is the operating system's and dies with its holder.

        Raises StoreError when the disk refuses.
        """
        home = self.home(kind, repo)
        with disk_errors(home):
            for name in ("snapshots", "refs/tags"):
                (home / name).mkdir(parents=True, exist_ok=True)
            with FileLock(home / ".lock"):
                yield home

    def resolve(self, kind: Kind, repo: str, revision: str = MAIN) -> Path:
        """See `Hub.resolve`."""
        home = self.home(kind, repo)
        snapshots = home / "snapshots"
        ref = home / "refs" / (MAIN if revision == MAIN else f"tags/{revision}")
        if NAME.fullmatch(revision) and ref.is_file() and (snapshots / ref.read_text()).is_dir():
            return snapshots / ref.read_text()
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            found = sorted(path for path in snapshots.glob(f"{revision}*") if path.is_dir())
            if len(found) == 1:
                return found[0]
        known = [item.revision[:12] for item in self.revisions(kind, repo)]
        raise HubError(
            f"{kind} {repo} has no revision {revision!r} in {self.root}: found {known or 'none at all'}, "
            "expected one of those, `main` or a tag. Publish it first, or name one that is there."
        )

    def revisions(self, kind: Kind, repo: str) -> tuple[Revision, ...]:
        """See `Hub.revisions`."""
        home = self.home(kind, repo)
        snapshots = home / "snapshots"
        lines = [line for line in reversed(_history(home)) if (snapshots / line["revision"]).is_dir()]
        return tuple(
            Revision(
                repo=repo,
                revision=line["revision"],
                path=str(snapshots / line["revision"]),
                message=line["message"],
            )
            for line in lines
        )

    def home(self, kind: Kind, repo: str) -> Path:
        """Folder of a repository, there or not. Raises HubError for what is no name."""
        owner, _, name = repo.partition("/")
        if not (NAME.fullmatch(owner) and NAME.fullmatch(name)):
            raise HubError(
                f"repository {repo!r} is not a name: expected owner/name of letters, digits, '.', '_', '-', "
                "each beginning with a letter or digit. Choose another name."
            )
        return self.root / FOLDERS[kind] / owner / name

    def _write_snapshot(self, home: Path, folder: Path, revision: str) -> None:
        """Copy under another name, then rename. A snapshot that lost its bytes is replaced."""
        snapshots = home / "snapshots"
        target, copy = snapshots / revision, snapshots / f"{PARTIAL}{revision}"
        _sweep(snapshots)
        if target.is_dir() and folder_digest(target)[:REVISION_LENGTH] == revision:
            return
        # Not copytree: it gathers what fails, and a full disk is then no longer told from the rest.
        for source in (path for path in sorted(folder.rglob("*")) if path.is_file()):
            place = copy / source.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        if folder_digest(copy)[:REVISION_LENGTH] != revision:
            raise HubError(f"{folder} changed while it was published: expected files at rest. Push again.")
        if target.is_dir():
            target.rename(snapshots / f"{PARTIAL}damaged")
        copy.rename(target)
        _sweep(snapshots)

    def _note(self, home: Path, revision: str, message: str, source: str) -> None:
        lines = _history(home)
        if not lines or (lines[-1]["revision"], lines[-1].get("source", "")) != (revision, source):
            if lines and lines[-1]["revision"] == revision:
                lines.pop()  # The same bytes from another source: one revision, known by the newer one.
            lines.append({"revision": revision, "message": message, "source": source})
            text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
            write_atomically(home / HISTORY, text)


def open_hub(uri: str = "local", folder: Path | None = None) -> LocalHub:
    """The Hub of a uri: `local` (`folder`, or the one under STILLHOUSE_HOME), a path, or `file:///path`.

    Raises ConfigError for an address on the network: that Hub comes with a later version.
    """
    if uri == "local":
        return LocalHub(folder or get_settings().hub_folder)
    scheme = urlparse(uri).scheme
    if scheme == "file":
        return LocalHub(Path(unquote(urlparse(uri).path)))
    if scheme:
        raise ConfigError(
            f"STILLHOUSE_HUB is {uri!r}: expected a folder (`local`, a path or file:///path); the Hub on the "
            "network comes with a later version. Publish to a folder, and upload that with `hf upload`."
        )
    return LocalHub(Path(uri).expanduser().resolve())


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


def _history(home: Path) -> list[dict[str, str]]:
    path = home / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _check_tag(tag: str | None) -> None:
    if tag is not None and (tag == MAIN or not NAME.fullmatch(tag)):
        raise HubError(
            f"tag {tag!r} is not usable: expected letters, digits, '.', '_' and '-', and not {MAIN!r}. "
            "Choose another."
        )
