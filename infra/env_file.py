"""Which `.env` is read: the one beside Stillhouse's own pyproject.toml, or the one that STILLHOUSE_ENV_FILE names.

Never the working folder's: a `.env` that came with somebody's data would choose where the tokens of whoever starts
something there are sent to.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from infra.errors import ConfigError

VARIABLE = "STILLHOUSE_ENV_FILE"
PROJECT = Path(__file__).resolve().parents[1]
PYPROJECT = "pyproject.toml"
LOOKED_AT = 1 << 16  # bytes of a file of the working folder in which settings are looked for
# What a reader would expect to count: Prefect alone reads the two TOML files, and from `.env` the settings of its own.
_SETTINGS = {
    ".env": re.compile(rb"^\s*(?:export\s+)?(?:STILLHOUSE|PREFECT|MLFLOW)_\w+\s*=", re.M | re.I),
    "prefect.toml": re.compile(rb"^\s*[\w.\"\[-]", re.M),
    PYPROJECT: re.compile(rb"^\s*\[tool\.prefect\b", re.M),
}


def chosen() -> Path | None:
    """The file that is read, absolute; None where there is none. STILLHOUSE_ENV_FILE left empty: none.

    Raises ConfigError when STILLHOUSE_ENV_FILE names what is no file.
    """
    named = os.environ.get(VARIABLE)
    if named is None:
        beside = PROJECT / ".env"
        return beside if (PROJECT / PYPROJECT).is_file() and beside.is_file() else None
    if not named:
        return None
    file = Path(os.path.expanduser(named)).absolute()  # noqa: PTH111  (Path's raises without a HOME)
    if not file.is_file():
        raise ConfigError(
            f"{VARIABLE}={named} is not there, or no file: expected a file of STILLHOUSE_* settings. Correct the path, "
            f"or take the variable away: `unset {VARIABLE}`."
        )
    return file


def values(file: Path | None) -> Mapping[str, str | None]:
    """Every name that a `.env` gives, and its value."""
    return dotenv_values(file, encoding="utf-8") if file is not None else {}


def passed_over(folder: Path) -> Iterator[Path]:
    """Files of a working folder that give settings, and are not read by any process of ours."""
    read = chosen()
    for name, setting in _SETTINGS.items():
        file = folder / name
        if name == PYPROJECT and folder.resolve() == PROJECT:
            continue  # What it sets for `prefect` is set for our processes in any case.
        if file.is_file() and not (read is not None and file.samefile(read)) and _says(file, setting):
            yield file


def _says(file: Path, setting: re.Pattern[bytes]) -> bool:
    try:
        with file.open("rb") as opened:
            return setting.search(opened.read(LOOKED_AT)) is not None
    except OSError:
        return False  # Not for us to read: nothing of it counts either way.
