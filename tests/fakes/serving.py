"""A server of the standard library in a thread of its own, for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer

from infra.machine.processes import LOOPBACK


@contextmanager
def serving(server: TCPServer) -> Iterator[str]:
    """The address (http://host:port) of a server that answers until the block ends, and is closed then."""
    # Shutting down waits for the next poll: half a second where nothing is said.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
