"""Several pipes read at once, each to a bound, by the clock: whoever writes without end, or never, is not waited for."""

import os
import selectors
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

START_SECONDS = 60.0  # a sandbox is there after hundredths of a second; a machine may be busy


@dataclass
class Heard:
    """What was read by pipe, and what ended the reading: None (the awaited pipe's end), `time` or a pipe that has too much."""

    data: dict[str, bytes] = field(default_factory=dict)
    stopped: str | None = None


def listen(
    pipes: Mapping[str, IO[bytes] | None], awaited: str, most: int, seconds: float | None = None
) -> Heard:
    """Read until the end of the awaited pipe, `most` bytes of each.

    Args: the pipes by name; the awaited one's name; bytes; seconds from the awaited pipe's first byte on (until then, and
    where None, START_SECONDS).
    """
    heard = Heard(dict.fromkeys(pipes, b""))
    until = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        for name, pipe in pipes.items():
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, name)
        while True:
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                heard.stopped = "time"
                return heard
            # The awaited pipe last: what others had to say before its end is read.
            for key, _ in sorted(ready, key=lambda one: one[0].data == awaited):
                part = os.read(key.fd, 2**16)
                if not part:
                    selector.unregister(key.fileobj)
                    if key.data == awaited:
                        return heard
                if key.data == awaited and part and not heard.data[awaited] and seconds is not None:
                    until = time.monotonic() + seconds
                heard.data[key.data] += part
                if len(heard.data[key.data]) > most:
                    heard.stopped = key.data
                    return heard
