"""Ports of 127.0.0.1 for tests that start servers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from infra.machine.processes import LOOPBACK


@contextmanager
def taken_port() -> Iterator[int]:
    """A port on which something listens already."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        yield int(listener.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Ports that nobody used a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((LOOPBACK, 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
