"""What is still to come of a run, told from the last run of its flow in this home: "stage 12 of 20, about 6 min left".

A run that came to its end leaves the list of its stages, each with the seconds that it took when it was computed. The next
one takes off what is done, a hit like anything else. What the last run did not have cannot be told, and is not.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from infra.files import write_atomically

logger = logging.getLogger(__name__)
MINUTE, HOUR = 60, 3600


class Named(NamedTuple):
    """A stage as it is told of: its name and, where a flow calls it on several things, on which."""

    name: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.label}" if self.label else self.name


class Expected(BaseModel, frozen=True):
    """A stage of the last run: the seconds that computing it took, in that run or in an earlier one."""

    name: str
    label: str = ""
    seconds: float

    @property
    def named(self) -> Named:
        """What it is told apart by."""
        return Named(self.name, self.label)


_LISTS = TypeAdapter(tuple[Expected, ...])


def outlook(
    begins: Named, last: Sequence[Expected], done: Iterable[Named], beside: Iterable[tuple[Named, float]]
) -> str:
    """Which stage of how many begins, and how long the run will go on.

    Args:
        begins: the stage that begins to be computed.
        last: the stages of the last run.
        done: those that this run has behind it, computed or found.
        beside: those that are being computed meanwhile, with the seconds for which they have been.

    Neither number of stages nor time where the last run had no such stage, or not so many: what follows it is unknown.
    """
    ahead, number, seconds = list(last), 1, 0.0
    for named in done:
        _take(ahead, named)
        number += 1
    for named, elapsed in beside:
        expected = _take(ahead, named)
        seconds += max(0.0, expected.seconds - elapsed) if expected else 0.0
        number += 1
    own = _take(ahead, begins)
    if own is None:
        return f"stage {number}"
    seconds += own.seconds + sum(stage.seconds for stage in ahead)
    return f"stage {number} of {number + len(ahead)}, {about(seconds)} left"


def about(seconds: float) -> str:
    """A time as one says it: nobody wants the seconds of an hour."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 1.5 * MINUTE:
        return f"about {round(seconds / 10) * 10} s"
    if seconds < 1.5 * HOUR:
        return f"about {round(seconds / MINUTE)} min"
    return f"about {seconds / HOUR:.1f} h"


def _take(ahead: list[Expected], named: Named) -> Expected | None:
    """The first of these stages, which is no longer ahead."""
    found = next((i for i, stage in enumerate(ahead) if stage.named == named), None)
    return None if found is None else ahead.pop(found)


class Outlook:
    """The stages of one run as they begin and end, in whatever thread."""

    def __init__(self, file: Path) -> None:
        """`file` is where the flow's last run left its list, and this one's is to be."""
        self._file = file
        self._last = _read(file)
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str], Expected] = {}  # by key and label: a model may have two names
        self._under_way: dict[str, tuple[Named, float]] = {}

    def begun(self, key: str, named: Named) -> str:
        """Note that a stage begins to be computed, and say where in the run that is."""
        with self._lock:
            done = [stage.named for (other, _), stage in self._done.items() if other != key]
            now = time.monotonic()
            beside = [(other, now - began) for other, began in self._under_way.values()]
            self._under_way[key] = named, now
        return outlook(named, self._last, done, beside)

    def ended(self, key: str) -> None:
        """Note that a stage is not being computed any more, whatever came of it."""
        with self._lock:
            self._under_way.pop(key, None)

    def done(self, key: str, stage: Expected) -> None:
        """Note that a stage was computed or found."""
        with self._lock:
            self._under_way.pop(key, None)
            self._done[key, stage.label] = stage

    def keep(self) -> None:
        """Leave this run's list to the next one; to be called when it has come to its end."""
        text = _LISTS.dump_json(tuple(self._done.values())).decode()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, text + "\n")
        except OSError as error:
            # The run is done: that the next one cannot tell its time is no failure of this one.
            logger.warning(
                "%s cannot be written (%s): the next run does not say how long it takes.", self._file, error
            )


def _read(file: Path) -> tuple[Expected, ...]:
    try:
        return _LISTS.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return ()  # No run has ended here yet, or a version wrote it that we do not know: nothing is told.
