"""One repository on the Hub, a request or two at a time: every step is tried again and says what it could not do."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, HfApi, errors
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
        self._ask("created", self.api.create_repo, private=private, exist_ok=True)

    def references(self) -> References:
        """Branches and tags; none for a repository that is not there, or not for this token to see."""
        found = self._find(self.api.list_repo_refs)
        if found is None:
            return References({}, {})
        return References(
            {ref.name: ref.target_commit for ref in found.branches},
            {ref.name: ref.target_commit for ref in found.tags},
        )

    def head(self, branch: str) -> str:
        """The commit that a branch is at; one that is not there begins at `main`."""
        branches = self.references().branches
        if branch not in branches:
            done, start = f"given the branch {branch}", branches.get(MAIN)
            self._ask(done, self.api.create_branch, branch=branch, revision=start, exist_ok=True)
            branches = self.references().branches
        if branch not in branches:
            raise HubError(f"{self.place} could not be read: it has no branch {branch}. Run the same again.")
        return branches[branch]

    def commits(self, revision: str) -> list[GitCommitInfo]:
        """A commit and all before it, newest first."""
        return self._ask("read", self.api.list_repo_commits, revision=revision)

    def tree(self, revision: str) -> Tree | None:
        """Every file of a commit by its name; None when there is no such commit."""

        def listed(name: str, **given: Any) -> Tree:
            found = self.api.list_repo_tree(name, recursive=True, **given)
            return {file.path: file for file in found if isinstance(file, RepoFile)}

        return self._find(listed, revision=revision)

    def upload(self, branch: str, operations: Sequence[Operation]) -> None:
        """Send what is large and not there yet: a shard that arrived in an earlier try is not sent again."""
        additions = [operation for operation in operations if isinstance(operation, CommitOperationAdd)]
        send = self.api.preupload_lfs_files
        # No .gitignore, from the folder or on the Hub, keeps a file out.
        self._ask("written", send, additions=additions, revision=branch, gitignore_content="")

    def commit(
        self, branch: str, parent: str, operations: Sequence[Operation], message: str, notes: dict[str, str]
    ) -> str:
        """One commit on top of `parent`, with notes in its description; gives its hash.

        Raises BranchMoved when `parent` is not the head any more: somebody pushed, or an answer of ours was lost.
        """
        description = "\n".join(f"Stillhouse-{name}: {value}" for name, value in notes.items())
        with self._faults("written"):
            try:
                done = self._try(
                    self.api.create_commit,
                    operations=operations,
                    commit_message=message,
                    commit_description=description,
                    revision=branch,
                    parent_commit=parent,
                )
            except errors.HfHubHTTPError as error:
                if error.response.status_code == CONFLICT:
                    raise BranchMoved from None
                raise
        return str(done.oid)

    def tag(self, name: str, commit: str) -> None:
        """Let a tag name a commit, whatever it named before."""
        now = self.references().tags.get(name)
        if now == commit:
            return
        if now is not None:
            self._find(self.api.delete_tag, tag=name)
        self._ask("tagged", self.api.create_tag, tag=name, revision=commit, exist_ok=True)

    def read(self, commit: str, name: str) -> bytes:
        """A small file of a commit; empty when it has none of that name."""
        get = self.api.hf_hub_download
        with self._faults("read"):
            try:
                path = self._try(get, filename=name, revision=commit, cache_dir=self.cache)
            except errors.RemoteEntryNotFoundError:
                return b""
        return Path(path).read_bytes()

    def snapshot(self, commit: str) -> Path:
        """Folder with the published files of a commit; no network is needed when it was fetched before."""
        given = {"revision": commit, "cache_dir": self.cache, "ignore_patterns": sorted(RESERVED)}
        try:
            folder = self._try(self.api.snapshot_download, local_files_only=True, **given)
        except errors.LocalEntryNotFoundError:
            folder = self._ask("fetched", self.api.snapshot_download, **given)
        return Path(str(folder))

    def contended(self) -> HubError:
        """What to raise when somebody else was faster each time."""
        return HubError(
            f"{self.place} is written to by others again and again: expected it to be at rest for a moment. "
            "Nothing of yours is lost: run the same again."
        )

    def _ask(self, done: str, method: Callable[..., T], **given: Any) -> T:
        """What a method of the client gives for this repository. Raises HubError: it could not be `done`."""
        with self._faults(done):
            return self._try(method, **given)

    def _try(self, method: Callable[..., T], **given: Any) -> T:
        return persistently(lambda: method(self.name, repo_type=self.kind, **given))

    def _find(self, method: Callable[..., T], **given: Any) -> T | None:
        """The same for reading; None when the repository or revision is not there, or not for this token to see."""
        with self._faults("read"):
            try:
                return self._try(method, **given)
            except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
                if error.response.status_code != 404:
                    raise
        return None

    @contextmanager
    def _faults(self, done: str) -> Iterator[None]:
        """Any fault as the error with its remedy: the repository could not be `done`."""
        try:
            yield
        except FAULTS as error:
            raise hub_error(self.place, done, error, self.token, self.named_in) from None


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
