"""Homes with a past: files and folders that were last touched days ago."""

import os
import time
from pathlib import Path

DAY = 86_400


def aged(path: Path, days: float = 30) -> Path:
    """`path` and all in it, as if nobody had touched it for days."""
    then = time.time() - days * DAY
    for place in (*path.rglob("*"), path):
        os.utime(place, (then, then), follow_symlinks=False)
    return path


def made_long_ago(record: Path) -> None:
    """A `record.json` as if its artifact had been made, and last touched, years ago."""
    lines = record.read_text().splitlines()
    old = ['  "finished": "2020-01-01T00:00:00+00:00",' if '"finished"' in line else line for line in lines]
    record.write_text("\n".join(old) + "\n")
    aged(record, 2000)
