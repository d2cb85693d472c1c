"""Which folder is the home where STILLHOUSE_HOME does not say: the nearest one upwards that is ours, else one here.

A folder of that name may have come with somebody's files: above the working folder one counts only if it holds the mark
that `infra.files.make_home` leaves and belongs to the user, as git's safe.directory has it.
"""

import os
from pathlib import Path

FOLDER = ".stillhouse"
MARK = "stillhouse-home.txt"
SAYS = "A home of Stillhouse: artifacts, runs and models. Deleting this folder is a full reset.\n"


def find_home(start: Path | None = None) -> Path:
    """The home for who stands in `start` (default: the working folder); it need not be there yet.

    One that stands right here is taken with the mark or without it: older versions left none.
    """
    here = start or Path.cwd()
    if (here / FOLDER).is_dir():
        return here / FOLDER
    return next((above / FOLDER for above in here.parents if _is_ours(above / FOLDER)), here / FOLDER)


def _is_ours(home: Path) -> bool:
    try:
        return (home / MARK).is_file() and home.stat().st_uid == os.geteuid()
    except OSError:
        return False  # Not for us to look at, so not ours.
