"""The Hub on the network, huggingface.co or a server that speaks its protocol, by `huggingface_hub`.

A repository there is git's: a revision is a commit. `main` cannot go back to an older commit, so another commit gives it
that one's files, and says in its description which revision they are:

    main                        what is released; the journal (promotions.jsonl) lies beside it
    run-<source>                a branch for each training run: what is published without becoming `main`
    tag content-<digest>        each published revision, by the digest of its files: the name it has in a local Hub
    tag source-<source>         the same bytes made from another source
    other tags                  somebody's own: versions

Descriptions of commits hold `Stillhouse-Content`, `-Source` and `-Revision`; anybody else's commit has none and is a
revision of its own. All files of a push arrive in one commit on top of the head that was looked at: a push that is killed
leaves the repository as it was, and the next one sends no finished shard again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.hf_api import GitCommitInfo
from pydantic import SecretStr

from infra.errors import HubError
from infra.files import disk_errors, file_lock, folder_digest
from infra.hub.access import ask_access
from infra.hub.faults import BranchMoved
from infra.hub.protocol import (
    COMMIT,
    FOLDERS,
    JOURNAL,
    MAIN,
    NAME,
    OWN,
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
from infra.hub.repository import References, Repository, content_tag, notes_of, short, source_tag
from infra.hub.trees import check_reserved, published, to_publish, to_restore

SHOWN = 12  # digits of a revision in a message
ATTEMPTS = 5
CONTENT, SOURCE, REVISION = "Content", "Source", "Revision"


@dataclass(frozen=True)
class RemoteHub:
    """A Hub on the network. Only its cache lies here, and a lock for each repository that was pushed to."""

    endpoint: str
    owner: str
    cache: Path
    private: bool = True
    token: SecretStr | None = None
    named_in: Path | None = None  # the file that named it: then it gets `token` or none

    def push(
        self, kind: Kind, repo: str, folder: Path, message: str, source: str = "", main: bool = True
    ) -> Revision:
        """See `Hub.push`. Raises HubError, also when somebody else publishes other files at the same time."""
        files = files_of(folder, repo)
        check_reserved(files)
        content = folder_digest(folder)[:REVISION_LENGTH]
        title = (message.strip().splitlines() or [f"Content {content[:SHOWN]}"])[0]
        notes = {CONTENT: content} | ({SOURCE: " ".join(source.split())} if source else {})
        with self.locked(kind, repo):
            repository = self.repository(kind, repo)
            repository.create(self.private)
            refs = repository.references()
            revision = refs.tags.get(content_tag(content))
            if revision is None or to_publish(repository.tree(revision) or {}, files):
                branch = MAIN if main else f"run-{short(source or content)}"
                revision = self._publish(repository, branch, files, title, notes)
                repository.tag(content_tag(content), revision)
            elif main:
                self.set_main(kind, repo, revision)
            commit = repository.commits(revision)[0]
            if source and notes_of(commit).get(SOURCE) != notes[SOURCE]:
                repository.tag(source_tag(source), revision)
        return self._revision(kind, repo, commit)

    def made_from(self, kind: Kind, repo: str, source: str) -> Revision | None:
        """See `Hub.made_from`. The Hub itself vouches for the bytes of a commit."""
        repository = self.repository(kind, repo)
        refs = repository.references()
        main = self._main(repository, refs)
        if main is None or repository.tree(main) is None:
            return None
        commit = repository.commits(main)[0]
        own = notes_of(commit).get(SOURCE) == " ".join(source.split())
        if not own and refs.tags.get(source_tag(source)) != main:
            return None
        return self._revision(kind, repo, commit)

    def main(self, kind: Kind, repo: str) -> str | None:
        """See `Hub.main`."""
        repository = self.repository(kind, repo)
        return self._main(repository, repository.references())

    def set_main(self, kind: Kind, repo: str, revision: str, entry: bytes = b"", after: bytes = b"") -> None:
        """See `Hub.set_main`. Files and line arrive in one commit."""
        repository = self.repository(kind, repo)
        wanted = repository.tree(revision)
        if wanted is None:
            raise no_revision(self, kind, repo, revision)
        for _ in range(ATTEMPTS):
            head = repository.head(MAIN)
            tree = repository.tree(head) or {}
            operations = to_restore(tree, wanted, revision)
            if entry:
                journal = repository.read(head, JOURNAL)
                if journal == after + entry and not operations:
                    return  # The answer to our own commit was lost.
                if journal != after:
                    raise JournalConflict(
                        f"the journal of {self.name(repo)} has other lines by now. Read it again."
                    )
                operations.append(CommitOperationAdd(JOURNAL, after + entry))
            if not operations:
                return
            try:
                repository.commit(
                    MAIN, head, operations, f"Make {revision[:SHOWN]} main", {REVISION: revision}
                )
                return
            except BranchMoved:
                continue
        raise repository.contended()

    def journal(self, kind: Kind, repo: str) -> bytes:
        """See `Hub.journal`."""
        repository = self.repository(kind, repo)
        head = repository.references().branches.get(MAIN)
        return repository.read(head, JOURNAL) if head else b""

    def is_whole(self, kind: Kind, repo: str, revision: str) -> bool:
        """See `Hub.is_whole`. A commit that the Hub lists has its bytes: it is named by their hash."""
        return self.repository(kind, repo).tree(revision) is not None

    @contextmanager
    def locked(self, kind: Kind, repo: str) -> Iterator[Path]:
        """See `Hub.locked`. Other machines are not held off: their commits are noticed."""
        home = self.cache.joinpath("pushed", FOLDERS[kind], *check_name(self.name(repo)))
        with disk_errors(home):
            home.mkdir(parents=True, exist_ok=True)
            with file_lock(home / ".lock"):
                yield home

    def resolve(self, kind: Kind, repo: str, revision: str = MAIN) -> Path:
        """See `Hub.resolve`. A whole commit hash that was fetched before needs no network."""
        repository = self.repository(kind, repo)
        commit = revision if COMMIT.fullmatch(revision) else self._commit(repository, revision)
        if commit is None:
            raise no_revision(self, kind, self.name(repo), revision)
        return repository.snapshot(commit)

    def revisions(self, kind: Kind, repo: str) -> tuple[Revision, ...]:
        """See `Hub.revisions`."""
        found = self._published(self.repository(kind, repo))
        newest = sorted(found, key=lambda commit: commit.created_at, reverse=True)
        return tuple(self._revision(kind, repo, commit) for commit in newest)

    def name(self, repo: str) -> str:
        """See `Hub.name`. What is `local` here belongs to the owner of the settings."""
        owner, name = check_name(repo)
        return f"{self.owner if owner == OWN else owner}/{name}"

    def address(self, kind: Kind, repo: str, revision: str | None = None) -> str:
        """See `Hub.address`."""
        folder = "datasets/" if kind == "dataset" else ""
        place = f"{self.endpoint}/{folder}{self.name(repo)}"
        return f"{place}/tree/{revision}" if revision else place

    def repositories(self, kind: Kind) -> tuple[str, ...]:
        """See `Hub.repositories`."""
        homes = (self.cache / "pushed" / FOLDERS[kind]).glob("*/*")
        return tuple(sorted(f"{home.parent.name}/{home.name}" for home in homes))

    def file_digests(self, kind: Kind, repo: str, revision: str) -> set[str]:
        """See `Hub.file_digests`. Only small files are fetched: of large ones the Hub gives the digest."""
        repository = self.repository(kind, repo)
        tree = repository.tree(revision) or {}
        large = {str(file.lfs.sha256) for file in tree.values() if file.lfs is not None}
        small = (name for name in published(tree) if tree[name].lfs is None)
        return large | {hashlib.sha256(repository.read(revision, name)).hexdigest() for name in small}

    def access(self) -> Access:
        """See `Hub.access`."""
        return ask_access(self._api(), self.owner, self._secret(), self.named_in)

    def repository(self, kind: Kind, repo: str) -> Repository:
        """A repository of this Hub, there or not. Raises HubError for what is no name."""
        place, fetched = self.address(kind, repo), self.cache / "fetched"
        return Repository(self._api(), kind, self.name(repo), place, fetched, self._secret(), self.named_in)

    def _api(self) -> HfApi:
        # None: the one that the client finds.
        token = self._secret() or (None if self.named_in is None else False)
        return HfApi(endpoint=self.endpoint, token=token, library_name="stillhouse")

    def _secret(self) -> str | None:
        return self.token.get_secret_value() if self.token is not None else None

    def _publish(
        self,
        repository: Repository,
        branch: str,
        files: Mapping[str, Path],
        title: str,
        notes: dict[str, str],
    ) -> str:
        """The commit on a branch that has these files; none is made when its head has them."""
        began = head = repository.head(branch)
        tree = before = repository.tree(head) or {}
        for _ in range(ATTEMPTS):
            operations = to_publish(tree, files)
            if not operations:
                return head
            if published(tree) != published(before):
                raise HubError(
                    f"{repository.place} got other files while it was written: expected {branch} at "
                    f"{began[:SHOWN]}, found {head[:SHOWN]}. Nothing was changed. Look at what was published "
                    "there, then push again if yours is to follow it."
                )
            repository.upload(branch, operations)
            try:
                return repository.commit(branch, head, operations, title, notes)
            except BranchMoved:
                head = repository.head(branch)
                tree = repository.tree(head) or {}
        raise repository.contended()

    def _main(self, repository: Repository, refs: References) -> str | None:
        """The revision whose files `main` has; None when nothing was published as `main`."""
        head = refs.branches.get(MAIN)
        if head is None:
            return None
        notes = notes_of(repository.commits(head)[0])
        if notes or published(repository.tree(head) or {}):
            return notes.get(REVISION, head)
        return None

    def _commit(self, repository: Repository, revision: str) -> str | None:
        """The commit that `main`, a tag, a branch or the first digits of a commit mean."""
        refs = repository.references()
        if not NAME.fullmatch(revision):
            return None
        if revision == MAIN:
            return self._main(repository, refs)
        if named := refs.tags.get(revision) or refs.branches.get(revision):
            return named
        if not SHORT_REVISION.fullmatch(revision):
            return None
        found = [item.commit_id for item in self._published(repository)]
        matching = [commit for commit in found if commit.startswith(revision)]
        return matching[0] if len(matching) == 1 else None

    def _published(self, repository: Repository) -> list[GitCommitInfo]:
        """Commits that published something, of `main` and of every other branch."""
        refs = repository.references()
        seen: dict[str, GitCommitInfo] = {}
        for commit in (refs.branches.get(MAIN), *refs.tags.values()):
            if commit is not None and commit not in seen:
                seen = {item.commit_id: item for item in repository.commits(commit)} | seen
        return [commit for commit in seen.values() if CONTENT in notes_of(commit)]

    def _revision(self, kind: Kind, repo: str, commit: GitCommitInfo) -> Revision:
        return Revision(
            repo=self.name(repo),
            revision=commit.commit_id,
            path=self.address(kind, repo, commit.commit_id),
            message=commit.title,
        )
