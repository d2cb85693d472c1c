"""How figures stand in a page: Markdown tables, medians with their spread, ratios."""

import statistics
from collections.abc import Iterable, Sequence

from tests.benchmarks.side_by_side import Figures


def table(head: Sequence[str], cells: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A Markdown table; columns are aligned right, but those of `left`."""
    marks = ["---" if i in left else "---:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *cells))


def one_line(heading: str) -> str:
    """The head of a column that has several lines elsewhere."""
    return " ".join(heading.split())


def spread(values: Figures, digits: int) -> str:
    """Median, and lowest to highest."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratios(slow: Figures, fast: Figures) -> Figures:
    """How many times faster, round by round."""
    return tuple(one / other for one, other in zip(slow, fast, strict=True))
