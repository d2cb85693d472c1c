"""Code that stands in a page, for the test that runs it."""

import re
from pathlib import Path

from tests.conftest import ROOT

PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def python_blocks(page: Path, heading: str | None = None) -> list[str]:
    """Python blocks of a page of this repository, or of the section of that name, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if heading is not None:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return PYTHON.findall(text)
