"""A server that speaks the Hub's protocol, in memory: what `huggingface_hub` needs to read and to publish.

Served, for models and data sets: repositories (create, delete, info, refs, branches, tags), preupload, LFS batch with PUT and
verify, commits as NDJSON guarded by `parentCommit`, commit lists, file trees, paths-info, resolve with ETag, commit hash and
Range, whoami, validate-yaml by the rules of `hub_cards`. Lists come in pages. A token may write, may only read, or is unknown.

Left out: Xet, multi-part LFS uploads, redirects to a CDN, pull requests, discussions, squashing, spaces, `.gitattributes` and
`.gitignore` (a file is large by its ending or size), and limits of rate or storage but for those that a test asks for.

`server.fail(at, how)` lets one request go wrong: the one of that number, counted from 0 since the last `server.begin()`, or
the first whose method and address hold that text. `how` is "cut" (a share of the request is read, or of a file sent, then the
connection closed), "lost" (it is done, and its answer never sent), or a status, with `Retry-After` if given.
`server.before[text]` is done in front of the first request that holds that text, `server.watch` in front of each.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from infra.machine.processes import LOOPBACK
from tests.fakes.hub_cards import faults_of_card
from tests.fakes.hub_state import Fault, HubServer, Json, Refused, Repo, taken
from tests.fakes.serving import serving

PAGE = 3
Answer = tuple[int, bytes, dict[str, str]]  # status, body, headers
NAME = r"(?P<name>[^/]+/[^/]+)"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer
    lock: threading.RLock

    def log_message(self, *args: object) -> None:
        """Quiet: the tests look at `requests`."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        place = unquote(address.path).strip("/")
        with self.lock:
            number = len(self.hub.requests)
            self.hub.requests.append(asked := f"{self.command} {place}")
            self.hub.times.append(time.monotonic())
            before, fault = taken(self.hub.before, number, asked), taken(self.hub.faults, number, asked)
            if self.hub.busy > 0:
                self.hub.busy, fault = self.hub.busy - 1, Fault(503)
            if self.hub.watch is not None:
                self.hub.watch()
        if before is not None:
            before()
        length = int(self.headers.get("Content-Length") or 0)
        if fault is not None and fault.how == "cut" and self.command not in ("GET", "HEAD"):
            self._received(int(length * fault.share))
            return self._close()
        body = self._received(length)
        try:
            if fault is not None and isinstance(fault.how, int):
                raise Refused(fault.how, "", fault.message or "as the test asked")
            with self.lock:
                self._route(place, parse_qs(address.query), body, fault)
        except Refused as error:
            headers = {"X-Error-Message": error.message, "Content-Type": "application/json"}
            headers |= {"X-Error-Code": error.code} if error.code else {}
            if fault is not None and fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            self._send(error.status, json.dumps({"error": error.message}).encode(), headers, None)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _received(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if self.command == "PUT":
            self.hub.uploads.append(len(body))
        return body

    def _route(self, place: str, query: Mapping[str, list[str]], body: bytes, fault: Fault | None) -> None:
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {place}"):
                given = found.groupdict()
                kind = (given.pop("kind", None) or "models")[:-1]
                answer = method(self, kind, query, body, **given)
                if isinstance(answer, tuple):
                    return self._send(*answer, fault)
                return self._send(
                    200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, fault
                )
        raise Refused(404, "", f"the fake Hub does not know {self.command} /{place}")

    def _found(self, kind: str, name: str, write: bool = False) -> Repo:
        """A repository that the token may read, or write."""
        right = self._right()
        repo = self.hub.repos.get((kind, name))
        if write and right is None:
            raise Refused(401, "", "Invalid username or password.")
        if repo is None or (repo.private and right is None):
            raise Refused(404, "RepoNotFound", "Repository not found")
        if repo.gated:
            raise Refused(403, "GatedRepo", "Access to this repository is restricted")
        if write and right != "write":
            raise Refused(403, "", "You don't have the rights to write here")
        return repo

    def _right(self) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return self.hub.tokens.get(token)

    def _whoami(self, kind: str, query: Mapping[str, list[str]], body: bytes) -> Json:
        if self._right() is None:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return self.hub.identity((self.headers["Authorization"]).removeprefix("Bearer "))

    def _validate(self, kind: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        asked = json.loads(body)
        errors = [{"message": message} for message in faults_of_card(asked["content"], asked["repoType"])]
        answer = {"errors": errors, "warnings": []}
        return 400 if errors else 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}

    def _create(self, kind: str, query: Mapping[str, list[str]], body: bytes) -> Json | Answer:
        asked = json.loads(body)
        name, kind = f"{asked['organization']}/{asked['name']}", asked["type"]
        url = f"{self.hub.endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if self._right() is None:
            raise Refused(401, "", "Invalid username or password.")
        if self._right() != "write":
            raise Refused(403, "", "You don't have the rights to create a repository here")
        if (kind, name) in self.hub.repos:
            return 409, json.dumps({"error": "You already created this repo", "url": url}).encode(), {}
        self.hub.repo(name, kind, asked.get("visibility") == "private" or asked.get("private", False))
        return {"url": url, "name": name}

    def _delete(self, kind: str, query: Mapping[str, list[str]], body: bytes) -> Json:
        asked = json.loads(body)
        kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        self._found(kind, name, write=True)
        del self.hub.repos[kind, name]
        return {}

    def _info(
        self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str | None
    ) -> Json:
        return self._found(kind, name).info(kind, rev or "main")

    def _refs(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str) -> Json:
        return self._found(kind, name).refs()

    def _tree(
        self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str, path: str | None
    ) -> Answer:
        recursive = query.get("recursive", ["false"])[0].lower() == "true"
        return self._page(self._found(kind, name).tree(rev, path or "", recursive), query)

    def _commits(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str) -> Answer:
        return self._page(self._found(kind, name).log(rev), query)

    def _page(self, items: list[Json], query: Mapping[str, list[str]]) -> Answer:
        start = int(query.get("cursor", ["0"])[0])
        headers = {"Content-Type": "application/json"}
        if start + PAGE < len(items):
            kept = {key: value[0] for key, value in query.items()} | {"cursor": str(start + PAGE)}
            url = f"{self.hub.endpoint}{urlsplit(self.path).path}?{urlencode(kept)}"
            headers["Link"] = f'<{url}>; rel="next"'
        return 200, json.dumps(items[start : start + PAGE]).encode(), headers

    def _paths(
        self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str
    ) -> list[Json]:
        wanted = parse_qs(body.decode())["paths"]
        return [entry for entry in self._found(kind, name).tree(rev) if entry["path"] in wanted]

    def _preupload(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str) -> Json:
        return {"files": self._found(kind, name, write=True).preupload(rev, json.loads(body)["files"])}

    def _batch(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str) -> Json:
        repo, place = self._found(kind, name, write=True), f"{self.hub.endpoint}/lfs/{kind}s/{name}"
        objects: list[Json] = []
        for item in json.loads(body)["objects"]:
            actions = {
                "upload": {"href": f"{place}/{item['oid']}"},
                "verify": {"href": f"{place}/verify"},
            }
            objects.append({**item} if item["oid"] in repo.objects else {**item, "actions": actions})
        return {"transfer": "basic", "objects": objects}

    def _put(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, oid: str) -> Json:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(400, "", "the bytes are not those of the object")
        self.hub.repos[kind, name].objects[oid] = body
        return {}

    def _verify(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str) -> Json:
        asked = json.loads(body)
        if len(self._found(kind, name, write=True).objects.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, "", "the object is not there")
        return {}

    def _commit(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str) -> Json:
        oid = self._found(kind, name, write=True).receive(rev, body)
        return {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.endpoint}/{name}/commit/{oid}"}

    def _branch(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, branch: str) -> Json:
        repo = self._found(kind, name, write=True)
        if branch in repo.branches:
            raise Refused(409, "", "Reference already exists")
        repo.branches[branch] = repo.commit_of(json.loads(body).get("startingPoint", "main")).oid
        return {}

    def _tag(self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str) -> Json:
        repo = self._found(kind, name, write=True)
        if self.command == "DELETE":
            if repo.tags.pop(rev, None) is None:
                raise Refused(404, "RevisionNotFound")
            return {}
        tag = json.loads(body)["tag"]
        if tag in repo.tags:
            raise Refused(409, "", "Tag reference exists already")
        repo.tags[tag] = repo.commit_of(rev).oid
        return {}

    def _file(
        self, kind: str, query: Mapping[str, list[str]], body: bytes, name: str, rev: str, path: str
    ) -> Answer:
        commit = self._found(kind, name).commit_of(rev)
        blob = commit.files.get(path)
        if blob is None:
            raise Refused(404, "EntryNotFound")
        headers = {"ETag": f'"{blob.etag}"', "X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            first, end = int(asked[1]), int(asked[2] or len(blob.content) - 1) + 1
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(blob.content)}"
            return 206, blob.content[first:end], headers
        return 200, blob.content, headers

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        if fault is not None and fault.how == "lost":
            return self._close()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            cut = fault is not None and fault.how == "cut"
            through = content[: int(len(content) * fault.share)] if fault is not None and cut else content
            if "ETag" in headers:
                self.hub.served.append(len(through))
            self.wfile.write(through)
            if cut:
                self._close()

    def _close(self) -> None:
        self.close_connection = True


_API = rf"api/(?P<kind>models|datasets)/{NAME}"
_ROUTES: list[tuple[str, Callable[..., object]]] = [
    (r"GET api/whoami-v2", _Handler._whoami),
    (r"POST api/validate-yaml", _Handler._validate),
    (r"POST api/repos/create", _Handler._create),
    (r"DELETE api/repos/delete", _Handler._delete),
    (rf"GET {_API}(/revision/(?P<rev>.+))?", _Handler._info),
    (rf"GET {_API}/refs", _Handler._refs),
    (rf"GET {_API}/tree/(?P<rev>[^/]+)(/(?P<path>.+))?", _Handler._tree),
    (rf"GET {_API}/commits/(?P<rev>[^/]+)", _Handler._commits),
    (rf"POST {_API}/paths-info/(?P<rev>.+)", _Handler._paths),
    (rf"POST {_API}/preupload/(?P<rev>.+)", _Handler._preupload),
    (rf"POST {_API}/commit/(?P<rev>.+)", _Handler._commit),
    (rf"POST {_API}/branch/(?P<branch>.+)", _Handler._branch),
    (rf"(POST|DELETE) {_API}/tag/(?P<rev>.+)", _Handler._tag),
    (rf"POST ((?P<kind>datasets)/)?{NAME}\.git/info/lfs/objects/batch", _Handler._batch),
    (rf"PUT lfs/(?P<kind>models|datasets)/{NAME}/(?P<oid>[0-9a-f]+)", _Handler._put),
    (rf"POST lfs/(?P<kind>models|datasets)/{NAME}/verify", _Handler._verify),
    (rf"(GET|HEAD) ((?P<kind>datasets)/)?{NAME}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", _Handler._file),
]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve on a free port of the loopback; `endpoint` is what HF_ENDPOINT must be."""
    hub = HubServer()
    given = {"hub": hub, "lock": threading.RLock()}
    server = ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (_Handler,), given))
    server.daemon_threads = True
    with serving(server) as hub.endpoint:
        yield hub
