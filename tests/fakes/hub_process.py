"""The fake Hub in a process of its own, where its memory and its work are not the client's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hub_process(token: str) -> Iterator[str]:
    """The address of an empty Hub that knows one token, which may write."""
    command, root = [sys.executable, "-m", "tests.fakes.hub_process", token], Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


if __name__ == "__main__":
    from tests.fakes.hub import (
        hub_server,
    )  # Only here: a client has settings of its own before it imports the library.

    with hub_server() as hub:
        hub.tokens = {sys.argv[1]: "write"}
        print(hub.endpoint, flush=True)
        sys.stdin.read()  # until the parent closes it, or dies
