"""One way to make each of the clouds fail at a chosen event of a run, and to count what passed since."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from tests.fakes.bigquery_faults import CUT, QUOTA, RATE_LIMIT, UNAVAILABLE
from tests.fakes.faulty_proxy import Fault
from tests.flows.clouds import HUB_TOKEN, Clouds


class Breakable(Protocol):
    """A server whose `at`-th event from now on (0 is the next; None: none) goes wrong, in the `number`-th of its ways."""

    clouds: Clouds

    def arm(self, at: int | None, number: int = 0) -> None:
        """Forget what was counted, and fail as told."""
        ...

    @property
    def events(self) -> int:
        """Requests, and messages of streams, since then."""
        ...

    @property
    def met(self) -> bool:
        """Whether what was armed happened."""
        ...

    @property
    def passed(self) -> int:
        """Bytes since then: of rows and answers from the warehouse, to and from the store, of files to the Hub."""
        ...


@dataclass(frozen=True)
class Warehouse:
    """A connection cut in the middle, an unavailable server, too many requests; a quota, after which a person runs again."""

    clouds: Clouds
    ways: ClassVar = (CUT, UNAVAILABLE, RATE_LIMIT, QUOTA)

    def arm(self, at: int | None, number: int = 0) -> None:
        faults = self.clouds.warehouse.faults
        faults.events, faults.met, faults.sent = 0, 0, 0
        faults.at = {} if at is None else {at + 1: self.ways[number % len(self.ways)]}

    @property
    def events(self) -> int:
        return self.clouds.warehouse.faults.events

    @property
    def met(self) -> bool:
        return self.clouds.warehouse.faults.met > 0

    @property
    def passed(self) -> int:
        return self.clouds.warehouse.faults.sent


@dataclass(frozen=True)
class ObjectStore:
    """503, connections cut before, in the middle of a request and of an answer; a refusal, which is said."""

    clouds: Clouds
    ways: ClassVar = ("status", "cut", "cut_request", "cut_answer", "refused")

    def arm(self, at: int | None, number: int = 0) -> None:
        way = self.ways[number % len(self.ways)]
        fault = Fault(at or 0, "status", status=403) if way == "refused" else Fault(at or 0, way)
        self.clouds.store.arm(None if at is None else fault)

    @property
    def events(self) -> int:
        return len(self.clouds.store.requests)

    @property
    def met(self) -> bool:
        return self.clouds.store.hits.acquire(blocking=False)

    @property
    def passed(self) -> int:
        return self.clouds.store.sent + self.clouds.store.received


@dataclass(frozen=True)
class Hub:
    """A connection cut, an answer lost, 503, 429; a token that may not, which the server repeats in its answer."""

    clouds: Clouds
    armed: list[bool] = field(default_factory=list)
    ways: ClassVar = ("cut", "lost", 503, 429, 403)

    def arm(self, at: int | None, number: int = 0) -> None:
        self.clouds.hub.begin()
        self.armed[:] = [at is not None]
        if at is not None:
            way = self.ways[number % len(self.ways)]
            self.clouds.hub.fail(at, way, retry_after=0, message=f"{HUB_TOKEN} may not do this")

    @property
    def events(self) -> int:
        return len(self.clouds.hub.requests)

    @property
    def met(self) -> bool:
        return self.armed == [True] and not self.clouds.hub.faults

    @property
    def passed(self) -> int:
        return sum(self.clouds.hub.uploads)
