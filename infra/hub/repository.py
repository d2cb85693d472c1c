"""One repository on the Hub, a request or two at a time: every step is tried again and says what it could not do."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import GitCommitInfo, RepoFile

from infra.errors import HubError
from infra.hub.faults import CONFLICT, FAULTS, BranchMoved, hub_error, persistently
from infra.hub.protocol import MAIN, Kind
from infra.hub.trees import RESERVED, Operation, Tree

NOTE = re.compile(r"^Stillhouse-(\w+): (.*)$", re.MULTILINE)
NAMED = 12  # digits in the name of a tag or branch
T = TypeVar("T")


@dataclass(frozen=True)
class References:
    """Branches and tags, each with its commit."""

    branches: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class Repository:
    """A repository, there or not. `cache` is where downloads lie; `place` its address, for messages."""

    api: HfApi
    kind: Kind
    name: str
    place: str
    cache: Path
    token: str | None
    named_in: Path | None = None

    def create(self, private: bool) -> None:
        """Make it, unless it is there; then its visibility stays."""
        self._do(
            "created",
            lambda: self.api.create_repo(self.name, repo_type=self.kind, private=private, exist_ok=True),
        )

    def references(self) -> References | None:
        """Branches and tags; None for a repository that is not there, or not for this token to see."""
        found = self._find(lambda: self.api.list_repo_refs(self.name, repo_type=self.kind))
        return (
            found
            if found is None
            else References(
                {ref.name: ref.target_commit for ref in found.branches},
                {ref.name: ref.target_commit for ref in found.tags},
            )
        )

    def head(self, branch: str) -> str:
        """The commit that a branch is at; one that is not there begins at `main`."""
        refs = self.references() or References({}, {})
        if branch not in refs.branches:
            start = refs.branches.get(MAIN)
            self._do(
                f"given the branch {branch}",
                lambda: self.api.create_branch(
                    self.name, branch=branch, revision=start, repo_type=self.kind, exist_ok=True
                ),
            )
            refs = self.references() or References({}, {})
        if branch not in refs.branches:
            raise HubError(f"{self.place} could not be read: it has no branch {branch}. Run the same again.")
        return refs.branches[branch]

    def commits(self, revision: str) -> list[GitCommitInfo]:
        """A commit and all before it, newest first."""
        return self._do(
            "read",
            lambda: self.api.list_repo_commits(self.name, revision=revision, repo_type=self.kind),
        )

    def tree(self, revision: str) -> Tree | None:
        """Every file of a commit by its name; None when there is no such commit."""
        return self._find(lambda: self._tree(revision))

    def _tree(self, revision: str) -> Tree:
        found = self.api.list_repo_tree(self.name, recursive=True, revision=revision, repo_type=self.kind)
        return {file.path: file for file in found if isinstance(file, RepoFile)}

    def upload(self, branch: str, operations: Sequence[Operation]) -> None:
        """Send what is large and not there yet: a shard that arrived in an earlier try is not sent again."""
        additions = [operation for operation in operations if isinstance(operation, CommitOperationAdd)]
        self._do(
            "written",
            # No .gitignore, from the folder or on the Hub, keeps a file out.
            lambda: self.api.preupload_lfs_files(
                self.name, additions, revision=branch, repo_type=self.kind, gitignore_content=""
            ),
        )

    def commit(
        self, branch: str, parent: str, operations: Sequence[Operation], message: str, notes: dict[str, str]
    ) -> str:
        """One commit on top of `parent`, with notes in its description; gives its hash.

        Raises BranchMoved when `parent` is not the head any more: somebody pushed, or an answer of ours was lost.
        """
        description = "\n".join(f"Stillhouse-{name}: {value}" for name, value in notes.items())

        def step() -> str:
            done = self.api.create_commit(
                self.name,
                operations,
                commit_message=message,
                commit_description=description,
                repo_type=self.kind,
                revision=branch,
                parent_commit=parent,
            )
            return str(done.oid)

        try:
            return persistently(step)
        except FAULTS as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code == CONFLICT:
                raise BranchMoved from None
            raise hub_error(self.place, "written", error, self.token, self.named_in) from None

    def tag(self, name: str, commit: str) -> None:
        """Let a tag name a commit, whatever it named before."""
        now = (self.references() or References({}, {})).tags.get(name)
        if now == commit:
            return
        if now is not None:
            self._find(lambda: self.api.delete_tag(self.name, tag=name, repo_type=self.kind))
        self._do(
            "tagged",
            lambda: self.api.create_tag(
                self.name, tag=name, revision=commit, repo_type=self.kind, exist_ok=True
            ),
        )

    def read(self, commit: str, name: str) -> bytes:
        """A small file of a commit; empty when it has none of that name."""
        try:
            path = persistently(
                lambda: self.api.hf_hub_download(
                    self.name, name, repo_type=self.kind, revision=commit, cache_dir=self.cache
                )
            )
        except FAULTS as error:
            if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                return b""
            raise hub_error(self.place, "read", error, self.token, self.named_in) from None
        return Path(path).read_bytes()

    def snapshot(self, commit: str) -> Path:
        """Folder with the published files of a commit; no network is needed when it was fetched before."""
        try:
            return self._snapshot(commit, local_files_only=True)
        except LocalEntryNotFoundError:
            return self._do("fetched", lambda: self._snapshot(commit, local_files_only=False))

    def _snapshot(self, commit: str, local_files_only: bool) -> Path:
        folder = self.api.snapshot_download(
            self.name,
            repo_type=self.kind,
            revision=commit,
            cache_dir=self.cache,
            ignore_patterns=sorted(RESERVED),
            local_files_only=local_files_only,
        )
        return Path(str(folder))

    def contended(self) -> HubError:
        """What to raise when somebody else was faster each time."""
        return HubError(
            f"{self.place} is written to by others again and again: expected it to be at rest for a moment. "
            "Nothing of yours is lost: run the same again."
        )

    def _do(self, done: str, step: Callable[[], T]) -> T:
        try:
            return persistently(step)
        except FAULTS as error:
            raise hub_error(self.place, done, error, self.token, self.named_in) from None

    def _find(self, step: Callable[[], T]) -> T | None:
        """What `step` returns; None when the repository or revision is not there, or not for this token to see."""
        try:
            return persistently(step)
        except FAULTS as error:
            if _is_missing(error):
                return None
            raise hub_error(self.place, "read", error, self.token, self.named_in) from None


def content_tag(content: str) -> str:
    """The tag of a revision whose files have this digest."""
    return f"content-{content[:NAMED]}"


def source_tag(source: str) -> str:
    """The tag of a revision that was made from this too."""
    return f"source-{short(source)}"


def short(source: str) -> str:
    """Enough of a source to tell it from others, in letters that a branch may have."""
    return hashlib.sha256(source.encode()).hexdigest()[:NAMED]


def notes_of(commit: GitCommitInfo) -> dict[str, str]:
    """What a commit of ours says of itself; empty for anybody else's."""
    return dict(NOTE.findall(commit.message))


def _is_missing(error: Exception) -> bool:
    missing = isinstance(error, RepositoryNotFoundError | RevisionNotFoundError)
    return missing and isinstance(error, HfHubHTTPError) and error.response.status_code == 404
