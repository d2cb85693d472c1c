"""What a place for models and data sets does, wherever it lies; and the names that all of them accept.

`main` of a model is its champion. Beside the revisions a repository has a journal: lines that are only ever added, with
which `infra/champions/promotions.py` keeps who was champion, when and why.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from infra.errors import HubError

Kind = Literal["model", "dataset"]
FOLDERS: dict[Kind, str] = {"model": "models", "dataset": "datasets"}
REVISION_LENGTH = 40
# What the Hub takes; folders and files are called so too.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
SHORT_REVISION = re.compile(r"[0-9a-f]{7,40}")
COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"
OWN = "local"  # the owner of a name that leaves it to the settings
JOURNAL = "promotions.jsonl"


class JournalConflict(HubError):
    """Somebody else added a line to the journal since it was read: read it again, then decide again."""


class Revision(BaseModel, frozen=True):
    """One published state of a repository."""

    repo: str = Field(description="owner/name")
    revision: str = Field(description="40 hex digits")
    path: str = Field(description="folder of the snapshot, or its address")
    message: str = Field("", description="what the push said of itself")


@dataclass(frozen=True)
class Access:
    """Where is published, and what stands in the way with what to do about it; both empty when nothing does."""

    place: str
    obstacle: str = ""
    remedy: str = ""


class Hub(Protocol):
    """A place for repositories of models and data sets. Pushing the same bytes again changes nothing."""

    def push(
        self, kind: Kind, repo: str, folder: Path, message: str, source: str = "", main: bool = True
    ) -> Revision:
        """Publish all files of `folder` as the new `main` of owner/name (unless told not).

        `source` is the key of what the files were made from, for `made_from`. Raises HubError.
        """

    def made_from(self, kind: Kind, repo: str, source: str) -> Revision | None:
        """`main`, when it was pushed with this `source` and has its bytes still; None otherwise."""

    def resolve(self, kind: Kind, repo: str, revision: str = MAIN) -> Path:
        """Local folder of a revision (`main`, a tag, at least 7 digits of one). Raises HubError."""

    def revisions(self, kind: Kind, repo: str) -> tuple[Revision, ...]:
        """What was published, newest first; empty for a repository that does not exist."""

    def main(self, kind: Kind, repo: str) -> str | None:
        """The revision that `main` is; None for a repository without one."""

    def set_main(self, kind: Kind, repo: str, revision: str, entry: bytes = b"", after: bytes = b"") -> None:
        """Make a published revision `main`, with a line of the journal that says so. The caller holds `locked`.

        The line is there before, or together with, the new `main`. Raises JournalConflict when the journal is not
        `after` any more.
        """

    def journal(self, kind: Kind, repo: str) -> bytes:
        """Every whole line of the journal; a line that was cut short never counted."""

    def is_whole(self, kind: Kind, repo: str, revision: str) -> bool:
        """Whether a revision is there with every byte that it was published with."""

    def locked(self, kind: Kind, repo: str) -> AbstractContextManager[Path]:
        """Hold a repository alone among the processes of this machine."""

    def name(self, repo: str) -> str:
        """What a repository is called here, as a reader has to call it. Raises HubError for what is no name."""

    def address(self, kind: Kind, repo: str, revision: str | None = None) -> str:
        """Where a person finds the repository, or one revision of it: a folder or a URL. Raises HubError for no name."""

    def repositories(self, kind: Kind) -> tuple[str, ...]:
        """Repositories that were published to from here, owner/name."""

    def file_digests(self, kind: Kind, repo: str, revision: str) -> set[str]:
        """sha256 of every file of a revision."""

    def access(self) -> Access:
        """Whether one may publish here; nothing is written to find out. Raises HubError when it does not answer."""


def check_name(repo: str) -> tuple[str, str]:
    """Owner and name of a repository. Raises HubError for what is no name."""
    owner, _, name = repo.partition("/")
    if not (NAME.fullmatch(owner) and NAME.fullmatch(name)):
        raise HubError(
            f"repository {repo!r} is not a name: expected owner/name, each of at most 96 letters, digits, '.', '_', "
            "'-' and beginning with a letter or digit. Choose another name."
        )
    return owner, name


def files_of(folder: Path, repo: str) -> dict[str, Path]:
    """Every file of a folder by its name in the repository, sorted. Raises HubError when there is none."""
    files = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    if not files:
        raise HubError(f"{folder} has no files: expected what {repo} is to publish. Run its stage first.")
    return files


def no_revision(hub: Hub, kind: Kind, repo: str, revision: str) -> HubError:
    """What to say when a repository lacks a revision: what it has instead."""
    known = [item.revision[:12] for item in hub.revisions(kind, repo)]
    return HubError(
        f"{kind} {repo} has no revision {revision!r} in {hub.address(kind, repo)}: found {known or 'none at all'}, "
        "expected one of those, `main` or a tag. Publish it first, or name one that is there."
    )
