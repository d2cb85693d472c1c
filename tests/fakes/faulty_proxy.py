"""An HTTP proxy in front of a real server, which fails on demand and counts what passes.

A fault hits the n-th request (of those that `only` matches) from when it was armed: it is answered 503 or any other
status, its connection is cut before the server sees it, in the middle of the request's body, or in the middle of the
answer's; the answer's bytes are others, or there is silence, in place of the answer or after a share of it, for as long
as the client waits.
`sent` and `received` count the bytes of bodies as the client sent and got them, so what a client sends twice is counted
twice. `watch` is called between what the server did and what the client hears of it: one request is one step.

Left out: HTTP/2, TLS, upgrades, trailers, and requests that are answered while they are still being sent.
"""

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from infra.machine.processes import LOOPBACK
from tests.fakes.serving import serving

Kind = Literal["status", "cut", "cut_request", "cut_answer", "garble", "hang", "stall_answer"]
DROPPED = {"transfer-encoding", "content-length", "connection", "expect", "keep-alive"}


@dataclass(frozen=True)
class Fault:
    """What happens at the `at`-th request (0 is the next), or from it on. `share` of a body passes before it breaks."""

    at: int
    kind: Kind
    share: float = 0.5
    status: int = 503
    body: bytes = b""
    onward: bool = False
    only: str = ""  # regular expression over "METHOD /path?query"; others pass and are not counted


@dataclass
class Proxy:
    """The proxy's address, what passed, and its fault."""

    upstream: str
    endpoint: str = ""
    requests: list[str] = field(default_factory=list, repr=False)
    sent: int = 0
    received: int = 0
    watch: Callable[[], None] | None = None
    hits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _fault: Fault | None = None
    _counted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _watching: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault | None, watch: Callable[[], None] | None = None) -> None:
        """Forget the counts and fail from now on as told; None: not at all."""
        with self._lock:
            self._fault, self.requests, self.sent, self.received = fault, [], 0, 0
            self._counted, self.watch, self.hits = 0, watch, threading.Semaphore(0)

    def next_fault(self, request: str) -> Fault | None:
        """Count a request; the fault that hits it, which `hits` is told of."""
        with self._lock:
            self.requests.append(request)
            fault = self._fault
            if fault is None or not re.search(fault.only, request):
                return None
            number, self._counted = self._counted, self._counted + 1
            if number < fault.at or (number > fault.at and not fault.onward):
                return None
            self.hits.release()
            return fault

    def step(self) -> None:
        """The server has done what it was asked."""
        if self.watch is not None:
            with self._watching:
                self.watch()

    def count(self, sent: int = 0, received: int = 0) -> None:
        """Add bytes of bodies."""
        with self._lock:
            self.sent += sent
            self.received += received


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *args: object) -> None:
        """Quiet: the tests look at `requests`."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _pass(self) -> None:
        fault = self.proxy.next_fault(f"{self.command} {self.path}")
        kind = fault.kind if fault else None
        if kind == "cut":
            return self._cut()
        body = self._body(fault)
        if body is None:
            return self._cut()
        if kind == "hang":
            return self._wait()
        if fault is not None and kind == "status":
            return self._answer(fault.status, [("Content-Type", "application/xml")], fault.body)
        status, headers, data = self._forward(body)
        self.proxy.step()
        if kind == "garble":
            data = bytes(255 - byte for byte in data)
        if fault is None or kind == "garble":
            return self._answer(status, headers, data)
        self._answer(status, headers, data, fault.share)
        return self._wait() if kind == "stall_answer" else self._cut()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _pass

    def _body(self, fault: Fault | None) -> bytes | None:
        """The whole body; None where it is to be cut, or the client went away: half of one is nobody's request."""
        share = fault.share if fault is not None and fault.kind == "cut_request" else 1.0
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
            length = len(body)
        else:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(int(length * share))
        self.proxy.count(sent=len(body))
        return None if share < 1 or len(body) < length else body

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(upstream.hostname or LOOPBACK, upstream.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in DROPPED]
            if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
                kept.append(("Content-Length", length))
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, share: float = 1.0) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        part = data[: int(len(data) * share)]
        self.wfile.write(part)
        self.wfile.flush()
        self.proxy.count(received=len(part))

    def _wait(self) -> None:
        """Silence, until the client is gone."""
        self.connection.recv(1)
        self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is what this server is for."""


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy to `upstream` (http://host:port) on a free port of 127.0.0.1."""
    proxy = Proxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with serving(_Server((LOOPBACK, 0), handler)) as proxy.endpoint:
        yield proxy
