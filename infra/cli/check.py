"""What `doctor` says of one thing that it looked at."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fault"]
GIB = 2**30


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and for a note or fault what to do."""

    name: str
    state: State
    found: str
    remedy: str = ""
