"""An HTTP proxy in front of a real server, which fails on demand and counts what passes.

A fault hits the n-th request from when it was armed: it is answered 503 or any other status, or its connection is cut
before the server sees it, in the middle of the request's body, or in the middle of the answer's; or the answer's bytes
are others; or it hangs, so that a test can kill the client at a known point. `sent` and `received` count the bytes of
bodies as the client sent and got them, so what a client sends twice is counted twice.

Left out: HTTP/2, TLS, upgrades, trailers, and requests that are answered while they are still being sent.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["status", "cut", "cut_request", "cut_answer", "garble", "hang"]
DROPPED = {"transfer-encoding", "content-length", "connection", "expect", "keep-alive"}
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Fault:
    """What happens at the `at`-th request (0 is the next), or from it on. `share` of a body passes before a cut."""

    at: int
    kind: Kind
    share: float = 0.5
    status: int = 503
    body: bytes = b""
    onward: bool = False


@dataclass
class Proxy:
    """The proxy's address, what passed, and its fault."""

    upstream: str
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    _fault: Fault | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault | None) -> None:
        """Forget the counts and fail from now on as told; None: not at all."""
        with self._lock:
            self._fault, self.requests, self.sent, self.received = fault, [], 0, 0
            self.reached.clear()

    def next_fault(self, request: str) -> Fault | None:
        """Count a request; the fault that hits it."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            fault = self._fault
        hit = fault is not None and (number == fault.at or (fault.onward and number > fault.at))
        if hit:
            self.reached.set()
        return fault if hit else None

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
            self.connection.recv(1)  # until the client is gone
            return self._cut()
        if fault is not None and kind == "status":
            return self._answer(fault.status, [("Content-Type", "application/xml")], fault.body, None)
        status, headers, data = self._forward(body)
        if kind == "garble":
            data = bytes(255 - byte for byte in data)
        self._answer(status, headers, data, fault if kind == "cut_answer" else None)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _pass

    def _body(self, fault: Fault | None) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            length = int(self.headers.get("Content-Length") or 0)
            if fault is not None and fault.kind == "cut_request":
                self.proxy.count(sent=len(self.rfile.read(int(length * fault.share))))
                return None
            body = self.rfile.read(length)
        self.proxy.count(sent=len(body))
        return body

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

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, cut: Fault | None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        part = data if cut is None else data[: int(len(data) * cut.share)]
        self.wfile.write(part)
        self.proxy.count(received=len(part))
        if cut is not None:
            self._cut()

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
    server = _Server((LOOPBACK, 0), handler)
    proxy.endpoint = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
