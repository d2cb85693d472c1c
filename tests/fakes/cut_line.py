"""A TCP line to a server, which is cut in the middle of whatever passes: HTTP and gRPC alike.

It counts the bytes that come from the server, so what is sent twice is counted twice. Left out: faults of what is sent to
the server, and delays.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from infra.machine.processes import LOOPBACK
from tests.fakes.serving import serving

PIECE = 1 << 16


@dataclass
class Line:
    """Its own address and the server's; `cuts` are the counts of `received` bytes at which it is cut next."""

    server: str
    endpoint: str = ""
    received: int = 0
    cuts: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, *cuts: int) -> None:
        """Forget the count, and cut where told from now on."""
        with self._lock:
            self.received, self.cuts = 0, sorted(cuts)

    def passing(self, size: int) -> int:
        """How many of the next bytes come through: fewer than `size` where the line is cut."""
        with self._lock:
            room = self.cuts[0] - self.received if self.cuts else size
            if room < size:
                self.cuts.pop(0)
            through = max(0, min(room, size))
            self.received += through
            return through


class _Handler(socketserver.BaseRequestHandler):
    line: Line

    def handle(self) -> None:
        parts = urlsplit(self.line.server)
        with socket.create_connection((parts.hostname or LOOPBACK, parts.port or 80)) as server:
            up = threading.Thread(target=_copy, args=(self.request, server), daemon=True)
            up.start()
            with suppress(OSError):
                while data := server.recv(PIECE):
                    through = self.line.passing(len(data))
                    self.request.sendall(data[:through])
                    if through < len(data):
                        break
            for end in (self.request, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            up.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def cut_line(server: str) -> Iterator[Line]:
    """A line to `server` (http://host:port) from a free port of 127.0.0.1."""
    line = Line(server)
    with serving(_Server((LOOPBACK, 0), type("Handler", (_Handler,), {"line": line}))) as line.endpoint:
        yield line
