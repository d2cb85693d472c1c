"""A server that speaks the reading half of the Hub's protocol: model info, file tree, resolve with ETag.

A repository is a folder for each commit, and branches that name commits.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Commits of one model and what its branches point to."""

    refs: dict[str, str]
    commits: dict[str, Path]
    gated: bool = False

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, tag or commit names."""
        commit = self.refs.get(revision, revision)
        return commit if commit in self.commits else None


@dataclass
class HubServer:
    """What is served and what was asked for; `busy` answers so many requests with 503 first."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    busy: int = 0
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        """Quiet: the tests look at `requests`."""

    def _answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.requests.append(f"{self.command} {'/'.join(parts)}")
        if self.hub.busy > 0:
            self.hub.busy -= 1
            return self._error(503, "")
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self._error(404, "RepoNotFound")
        if repository.gated:
            return self._error(403, "GatedRepo")
        # /api/models/<name>[/revision/<revision> or /tree/<revision>], /<name>/resolve/<revision>/<path>
        action, revision, *rest = (parts[4:] if api else parts[2:]) or ["revision", "main"]
        commit = repository.commit(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        if action == "resolve":
            return self._file(repository.commits[commit], "/".join(rest), commit)
        return self._json(_tree(repository, commit) if action == "tree" else _info(repository, name, commit))

    def _file(self, folder: Path, name: str, commit: str) -> None:
        path = folder / name
        if not path.is_file():
            return self._error(404, "EntryNotFound")
        content = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        self._send(200, content, headers)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._send(
            status, b"{}", {"X-Error-Code": code, "X-Error-Message": f"{code or 'busy'} on the fake Hub"}
        )

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _info(repository: Repository, name: str, commit: str) -> dict[str, object]:
    folder = repository.commits[commit]
    siblings = [{"rfilename": path.relative_to(folder).as_posix()} for path in _files(folder)]
    return {"id": name, "modelId": name, "sha": commit, "private": False, "tags": [], "siblings": siblings}


def _tree(repository: Repository, commit: str) -> list[dict[str, object]]:
    folder = repository.commits[commit]
    return [
        {
            "type": "file",
            "path": path.relative_to(folder).as_posix(),
            "size": path.stat().st_size,
            "oid": hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(),
        }
        for path in _files(folder)
    ]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve on a free port of the loopback; `endpoint` is what HF_ENDPOINT must be."""
    hub = HubServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
