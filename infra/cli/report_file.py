"""The file of `--report`: whether it can be written is known before the run, which may take hours."""

import tempfile
from pathlib import Path

from infra.errors import ConfigError


def claim(path: Path) -> None:
    """Make the folder of a report, and prove that the file can be written; nothing in it is touched.

    Raises ConfigError when it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("ab"):
                return
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def write(path: Path, text: str) -> None:
    """Write the report. Raises ConfigError when that is no longer possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError | ValueError) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) else error
    return ConfigError(
        f"--report {path} cannot be written ({why}): expected a file in a folder of yours. Give another path."
    )
