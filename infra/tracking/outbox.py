"""What goes to the tracking server while it answers, and waits while it does not.

A server that fails is left alone for a pause, each longer than the one before, and is then tried again. What was to be
sent meanwhile waits in order and is sent when it is back. That it is out is said once, and once that it is back.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from infra.settings import without_credentials
from infra.tracking.values import MetricPoint, Refused, Runs

logger = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
Result = TypeVar("Result")


@dataclass
class Note:
    """Something to be sent by a call, again when the server failed on the way. `what` ends the sentence "could not ..."."""

    what: str
    send: Callable[[Runs], None]


@dataclass
class Points:
    """Metrics of one run. Those that come while it waits join it: an outage of hours ends in a few batches."""

    run: str
    sender: Callable[[Runs, str, list[MetricPoint]], None]
    points: list[MetricPoint]
    what: str = field(default="log metrics", init=False)

    def send(self, runs: Runs) -> None:
        """See `Note`."""
        self.sender(runs, self.run, list(self.points))


class Outbox:
    """The way to one tracking server, for the threads of one process."""

    def __init__(self, uri: str, connect: Callable[[], Runs]) -> None:
        self.uri = uri
        self._connect = connect
        self._waiting: deque[Note | Points] = deque()
        self._lock, self._delivering = threading.Lock(), threading.Lock()
        self._refused: set[str] = set()
        self._pause = 0.0  # seconds; 0 while the server answers
        self._next = 0.0  # by time.monotonic()

    def ask(self, what: str, call: Callable[[Runs], Result]) -> Result | None:
        """The answer to something that cannot wait; None while the server is out, and when it refuses."""
        if self._resting():
            return None
        answers, result = self._call(what, call)
        if answers:
            self.deliver()
        return result

    def put(self, sending: Note | Points) -> None:
        """Send something now, or when the server is back."""
        with self._lock:
            last = self._waiting[-1] if len(self._waiting) > 1 else None  # the first may be under way
            if isinstance(sending, Points) and isinstance(last, Points) and last.run == sending.run:
                last.points += sending.points
            else:
                self._waiting.append(sending)
        self.deliver()

    def deliver(self, at_last: bool = False) -> int:
        """Send what waits, unless another thread does; `at_last` minds no pause. Returns how much is left."""
        # Who finds the lock taken leaves its letter to the holder, who looks once more after letting go.
        while self._waiting and (at_last or not self._resting()) and self._delivering.acquire(blocking=False):
            try:
                if not self._deliver_all():
                    break
            finally:
                self._delivering.release()
        return len(self._waiting)

    def _deliver_all(self) -> bool:
        """Whether the server took all that waits, or refused it for good."""
        while self._waiting:
            first = self._waiting[0]
            answers, _ = self._call(first.what, first.send)
            if not answers:
                return False
            with self._lock:
                self._waiting.popleft()
        return True

    def _call(self, what: str, call: Callable[[Runs], Result]) -> tuple[bool, Result | None]:
        """Whether the server answers, and what; it may refuse."""
        try:
            result = call(self._connect())
        except Refused as refused:
            self._say_refused(what, refused)
            return True, None
        except Exception as error:  # Any fault of the tracking server, of whatever type: the work goes on.
            self._failed(what, error)
            return False, None
        self._answered()
        return True, result

    def _resting(self) -> bool:
        return self._pause > 0 and time.monotonic() < self._next

    def _failed(self, what: str, error: Exception) -> None:
        with self._lock:
            first = self._pause == 0
            self._pause = min(2 * self._pause or FIRST_PAUSE_S, LONGEST_PAUSE_S)
            self._next = time.monotonic() + self._pause
        if first:
            logger.warning(
                "MLflow at %s could not %s (%s: %s). The run goes on without tracking, and tries again now and then; "
                "every metric is kept beside its artifact. Start it with `stillhouse up`, or correct "
                "STILLHOUSE_MLFLOW_URI.",
                without_credentials(self.uri), what, type(error).__name__, self._shown(error),
            )  # fmt: skip

    def _answered(self) -> None:
        with self._lock:
            back, self._pause = self._pause > 0, 0.0
        if back:
            logger.warning("MLflow at %s answers again.", without_credentials(self.uri))

    def _say_refused(self, what: str, refused: Refused) -> None:
        self._answered()
        if what not in self._refused:
            self._refused.add(what)
            logger.warning(
                "MLflow refused to %s (%s). The run goes on without it.", what, self._shown(refused)
            )

    def _shown(self, error: Exception) -> str:
        return without_credentials(str(error), self.uri).split("\n", 1)[0][:300]
