"""The cap on what is read, counted as it comes out: unpacked bytes, of all files together.

A small archive or parquet file may hold a thousand times its size, and a view may have no end. A file is read several
times (once for its encoding, once for its types): it counts as much as its longest reading.
"""

from collections.abc import Callable
from functools import partial

from infra.errors import CostCapError

Count = Callable[[int], None]  # is told the bytes of each piece that was read
Reading = Callable[[], Count]  # called once for each reading of a file


class Cap:
    """At most `most` bytes may be read."""

    def __init__(self, most: int) -> None:
        self._most, self._total = most, 0
        self._longest: dict[str, int] = {}

    def of(self, file: str) -> Reading:
        """What counts the readings of a file. Its counters raise CostCapError above the cap."""
        return partial(self._reading, file)

    def _reading(self, file: str) -> Count:
        seen = 0

        def count(size: int) -> None:
            nonlocal seen
            seen += size
            longest = self._longest.get(file, 0)
            if seen > longest:
                self._longest[file] = seen
                self._total += seen - longest
            if self._total > self._most:
                raise CostCapError(
                    f"{file}: {self._total:,} bytes were found so far, unpacked, and the cap is {self._most:,}; nothing "
                    "more was read. Give fewer rows, or raise --extract.max-bytes."
                )

        return count


def uncapped() -> Count:
    """The reading of a file that may be as long as it likes."""
    return lambda size: None
