"""What a person types, as the words of a process: `stillhouse doctor`, or `flows.data` for `python -m flows.data`."""

import sys
from pathlib import Path

STILLHOUSE = str(Path(sys.executable).with_name("stillhouse"))


def typed(first: str, *rest: str) -> list[str]:
    """The command `stillhouse`, or a module of ours."""
    return [STILLHOUSE, *rest] if first == "stillhouse" else [sys.executable, "-m", first, *rest]
