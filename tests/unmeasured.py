"""Servers that are others' code are not traced: coverage would start in them too, and make them twice as slow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "COVERAGE_PROCESS_CONFIG"  # coverage's patch `subprocess`: a Python that finds it traces itself


@contextmanager
def unmeasured() -> Iterator[None]:
    """Processes started inside are not traced."""
    config = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if config is not None:
            os.environ[VARIABLE] = config
