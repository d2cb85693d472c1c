"""Panics of the Rust libraries that read files made elsewhere (tokenizers, safetensors).

A panic comes as `pyo3_runtime.PanicException`, which is no Exception: `except Exception` lets it pass, and it ends the
program. A tokenizer.json can bring one about when it is read (a damaged `precompiled_charsmap`) and when it meets a text
(a pattern that backtracks without end, an empty template). Importing this module imports nothing but the standard library.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import ArtifactError

PANICS = "pyo3_runtime"  # The class cannot be imported: its module's name is what it is known by.


class RustPanic(RuntimeError):
    """A panic as an exception like any other."""


@contextmanager
def panics_caught() -> Iterator[None]:
    """Raises RustPanic in place of a panic; lets everything else pass."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != PANICS:
            raise
        raise RustPanic(str(error)) from error


@contextmanager
def tokenizing(where: Path | str) -> Iterator[None]:
    """Raises ArtifactError, which names the tokenizer at `where`, when it fails at a text it is given meanwhile."""
    try:
        with panics_caught():
            yield
    except Exception as error:
        if type(error) not in (RustPanic, Exception):  # tokenizers raises a bare Exception
            raise
        raise ArtifactError(
            f"the tokenizer of {where} fails at a text ({type(error).__name__}: {error}): expected one that can read "
            "any text. Look at the pattern, the template and the unknown token in its tokenizer.json, or take another "
            "model."
        ) from error
