"""What this process was started as."""

import sys
from pathlib import Path


def program() -> str:
    """The module that was started (`flows.end_to_end`), else the name of the file; `python` where there is neither."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return Path(sys.argv[0]).name or "python"
