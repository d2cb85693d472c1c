"""What the fake Hub keeps in memory: repositories as git has them, the large files of each, and what is to go wrong."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

LARGE_ENDINGS = (".parquet", ".onnx", ".safetensors", ".bin")
LARGE = 10_000  # bytes
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Json = dict[str, object]
T = TypeVar("T")


class Refused(Exception):
    """What the Hub answers instead: a status, its code for the client, and a sentence."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message or code


@dataclass(frozen=True)
class Blob:
    """The bytes of a file, and whether git keeps only a pointer to them."""

    content: bytes
    large: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_hash(self) -> str:
        text = self.content
        if self.large:
            text = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(text)}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_hash


@dataclass(frozen=True)
class Commit:
    """A state of all files, and what it says of itself."""

    parent: str | None
    title: str
    message: str
    number: int
    files: Mapping[str, Blob]

    @property
    def oid(self) -> str:
        files = [(name, blob.git_hash) for name, blob in sorted(self.files.items())]
        text = json.dumps([self.parent, self.title, self.message, self.number, files])
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    @property
    def date(self) -> str:
        return (EPOCH + timedelta(seconds=self.number)).isoformat().replace("+00:00", ".000Z")


@dataclass
class Repo:
    """One repository."""

    name: str
    private: bool
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)  # large files by sha256, committed or not

    def commit_of(self, revision: str) -> Commit:
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        if oid not in self.commits:
            raise Refused(404, "RevisionNotFound")
        return self.commits[oid]

    def add(self, branch: str, title: str, files: Mapping[str, Blob], message: str = "") -> str:
        """A commit on a branch; gives its hash."""
        commit = Commit(self.branches.get(branch), title, message, len(self.commits), dict(files))
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit.oid

    def put(self, files: Mapping[str, bytes], branch: str = "main", title: str = "by hand") -> str:
        """A commit with these files and no others, as somebody makes it in a browser."""
        return self.add(branch, title, {name: blob_of(name, content) for name, content in files.items()})

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return {name: blob.content for name, blob in self.commit_of(revision).files.items()}

    def tree(self, revision: str, folder: str = "", recursive: bool = True) -> list[Json]:
        """Files and folders under a folder, or only those directly in it."""
        files, start = self.commit_of(revision).files, f"{folder}/" if folder else ""
        if start and not any(name.startswith(start) for name in files):
            raise Refused(404, "EntryNotFound")
        above = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
        entries = [_entry(name, blob) for name, blob in files.items()]
        entries += [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in above]
        under = [(str(entry["path"]), entry) for entry in entries if str(entry["path"]).startswith(start)]
        return [entry for path, entry in sorted(under) if recursive or "/" not in path.removeprefix(start)]

    def log(self, revision: str) -> list[Json]:
        found, commit = [], self.commit_of(revision)
        while True:
            found.append(
                {
                    "id": commit.oid,
                    "title": commit.title,
                    "message": commit.message,
                    "date": commit.date,
                    "authors": [{"user": "somebody"}],
                }
            )
            if commit.parent is None:
                return found
            commit = self.commits[commit.parent]

    def refs(self) -> Json:
        return {
            "branches": [_ref("heads", name, oid) for name, oid in self.branches.items()],
            "tags": [_ref("tags", name, oid) for name, oid in self.tags.items()],
            "converts": [],
        }

    def info(self, kind: str, revision: str) -> Json:
        commit = self.commit_of(revision)
        siblings = [{"rfilename": name} for name in commit.files]
        return {"id": self.name, f"{kind}Id": self.name, "sha": commit.oid, "private": self.private, "tags": [],
                "siblings": siblings}  # fmt: skip

    def preupload(self, revision: str, asked: list[Json]) -> list[Json]:
        files = self.commit_of(revision).files
        return [
            {
                "path": item["path"],
                "uploadMode": "lfs" if _is_large(str(item["path"]), int(str(item["size"]))) else "regular",
                "shouldIgnore": False,
                "oid": files[str(item["path"])].etag if item["path"] in files else None,
            }
            for item in asked
        ]

    def receive(self, branch: str, body: bytes) -> str:
        """A commit as the client sends it, a JSON object a line."""
        head = self.commit_of(branch)
        lines = [json.loads(line) for line in body.splitlines()]
        header, files = lines[0]["value"], dict(head.files)
        if header.get("parentCommit", head.oid) != head.oid:
            raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile" and value["oid"] in self.objects:
                files[value["path"]] = Blob(self.objects[value["oid"]], True)
            elif line["key"] == "deletedFile" and value["path"] in files:
                del files[value["path"]]
            else:
                raise Refused(400, "", f"{line['key']} {value['path']} cannot be committed")
        return self.add(branch, header["summary"], files, header.get("description", ""))


@dataclass(frozen=True)
class Fault:
    """What happens to one request; `share` of its bytes are through when it is cut."""

    how: str | int
    retry_after: int | None = None
    message: str = ""
    share: float = 0.5


@dataclass
class HubServer:
    """What is served, what was asked for, and what goes wrong."""

    tokens: dict[str, str] = field(default_factory=dict)  # token: "write" or "read"
    owners: dict[str, str] = field(
        default_factory=lambda: {"org": "write"}
    )  # organisation: role of the tokens' user
    scopes: dict[str, list[Json]] = field(default_factory=dict)  # of a token that is fine-grained
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    faults: dict[int | str, Fault] = field(default_factory=dict)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    watch: Callable[[], object] | None = None  # done in front of every request
    requests: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # seconds of a clock, one for each request
    uploads: list[int] = field(default_factory=list)  # bytes that arrived, a PUT each
    served: list[int] = field(default_factory=list)  # bytes of files that were sent, a GET each
    busy: int = 0  # so many requests are answered with 503 first
    endpoint: str = ""

    def repo(self, name: str, kind: str = "model", private: bool = False) -> Repo:
        """A repository, made as the real Hub does: with one commit that holds .gitattributes."""
        if (kind, name) not in self.repos:
            self.repos[kind, name] = Repo(name, private)
            self.repos[kind, name].add("main", "initial commit", {".gitattributes": blob_of("", b"* text\n")})
        return self.repos[kind, name]

    def publish(self, name: str, folder: Path, branch: str = "main") -> str:
        """The files of a folder as a commit of a model; gives its hash."""
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return self.repo(name).put({name: path.read_bytes() for name, path in files.items()}, branch)

    def begin(self) -> None:
        """Forget what was asked for, and count from here."""
        self.requests.clear()
        self.times.clear()
        self.uploads.clear()
        self.served.clear()
        self.faults.clear()
        self.before.clear()

    def fail(
        self,
        at: int | str,
        how: str | int,
        retry_after: int | None = None,
        message: str = "",
        share: float = 0.5,
    ) -> None:
        """Let a request go wrong."""
        self.faults[at] = Fault(how, retry_after, message, share)

    def identity(self, token: str) -> Json:
        """What `whoami` says of a token's user."""
        access: Json = {"role": self.tokens[token], "displayName": "for the tests"}
        if token in self.scopes:
            access = {"role": "fineGrained", "fineGrained": {"global": [], "scoped": self.scopes[token]}}
        orgs = [{"type": "org", "name": name, "roleInOrg": role} for name, role in self.owners.items()]
        return {"type": "user", "name": "somebody", "orgs": orgs, "auth": {"accessToken": access}}


def taken(wanted: dict[Any, T], number: int, asked: str) -> T | None:
    """What is to happen at a request, once: by its number, or by a part of its method and address."""
    key = next((key for key in wanted if key == number or (isinstance(key, str) and key in asked)), None)
    return None if key is None else wanted.pop(key)


def blob_of(name: str, content: bytes) -> Blob:
    return Blob(content, _is_large(name, len(content)))


def _is_large(name: str, size: int) -> bool:
    return name.endswith(LARGE_ENDINGS) or size > LARGE


def _entry(name: str, blob: Blob) -> Json:
    entry: Json = {"type": "file", "path": name, "size": len(blob.content), "oid": blob.git_hash}
    large: Json = {"lfs": {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}}
    return entry | (large if blob.large else {})


def _ref(place: str, name: str, oid: str) -> Json:
    return {"name": name, "ref": f"refs/{place}/{name}", "targetCommit": oid}
