"""What goes wrong, and when: by the number of a request or message, or for requests to an address; and what was sent."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.bigquery_tables import Refused


@dataclass(frozen=True)
class Fault:
    """A refusal, or an answer whose connection is cut in the middle."""

    refusal: Refused | None = None
    cut: bool = False


def refused(status: int, reason: str, message: str) -> Fault:
    """As BigQuery says it."""
    return Fault(Refused(status, reason, message))


CUT = Fault(cut=True)
UNAVAILABLE = refused(503, "backendError", "The service is currently unavailable.")
RATE_LIMIT = refused(
    403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method."
)
QUOTA = refused(
    403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes scanned."
)


@dataclass
class Faults:
    """`at`: event number -> fault; an event is a request, or a message of a stream. `on`: fault for each request whose
    line has the text. `jobs`: (reason, message) of the next jobs' failures; `slow` is waited before each event, in
    seconds; `stream` answers every request to the Storage Read API. `sent` are bytes of answers and of messages."""

    at: dict[int, Fault] = field(default_factory=dict)
    on: dict[str, Fault] = field(default_factory=dict)
    jobs: list[tuple[str, str] | None] = field(default_factory=list)
    stream: Callable[[str], Fault | None] | None = None
    slow: float = 0.0
    events: int = 0
    met: int = 0
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, line: str) -> Fault | None:
        """What happens to a request of REST."""
        return next((fault for text, fault in self.on.items() if text in line), None) or self._event()

    def message(self, name: str) -> Fault | None:
        """What happens to a session, or to a message of a stream: any fault ends it."""
        return (self.stream(name) if self.stream is not None else None) or self._event()

    def job(self) -> tuple[str, str] | None:
        """Why the job that is made now fails."""
        return self.jobs.pop(0) if self.jobs else None

    def count(self, size: int) -> None:
        """Bytes that are on their way to the client."""
        with self._lock:
            self.sent += size

    def _event(self) -> Fault | None:
        time.sleep(self.slow)
        with self._lock:
            self.events += 1
            fault = self.at.pop(self.events, None)
            self.met += fault is not None
            return fault
