"""An end without the interpreter's own, which takes a second and more to free modules that the system frees at once.

Import it first: what was registered to be done at the end before it was imported is not done.
"""

import atexit
import logging
import os
import sys
from typing import NoReturn

BROKEN_PIPE = 120  # as Python itself ends when what it printed cannot be written
_codes: list[int] = []


def leave(code: int) -> NoReturn:
    """End this process as `SystemExit` does: threads are waited for, and what is registered for the end is done."""
    _codes.append(code)
    raise SystemExit(code)


def _end() -> None:
    if not _codes:
        return
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(BROKEN_PIPE)
    os._exit(_codes[-1])


atexit.register(_end)
