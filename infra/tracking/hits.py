"""What a run did not compute: one tag of its MLflow run names each hit and the run that has its metrics.

A run of its own for each hit would write every metric of the past again: 21 runs and 254 metric rows for a run that computes
nothing, of which a schedule makes some each day.
"""

import json
import threading
from collections.abc import Sequence
from typing import NamedTuple

from infra.store.record import Record

TAG, FILE = "stillhouse.hits", "hits.json"
ROOM = 5_000  # characters that a tag of MLflow holds
SHOWN = 12  # digits of a key


class Hit(NamedTuple):
    """One cached stage: its name, the first digits of its key, and the MLflow run that computed it, where one is known."""

    stage: str
    key: str
    run: str | None


class Hits:
    """Those of the runs that are open, for the threads of one process. Which record counts as a hit may change meanwhile."""

    def __init__(self) -> None:
        self._by_run: dict[str, dict[str, Hit]] = {}
        self._lock = threading.Lock()

    def note(self, run: str, record: Record) -> None:
        """A run was served this record; once, however often it asks."""
        with self._lock:
            hits = self._by_run.setdefault(run, {})
            hits[record.key] = Hit(record.stage, record.key[:SHOWN], record.mlflow_run_id)

    def forget(self, key: str) -> None:
        """It had to be computed after all."""
        with self._lock:
            for hits in self._by_run.values():
                hits.pop(key, None)

    def take(self, run: str) -> list[Hit]:
        """The hits of a run that ends, in their order."""
        with self._lock:
            return list(self._by_run.pop(run, {}).values())


def as_json(hits: Sequence[Hit]) -> str:
    """All of them, as `hits.json` has them."""
    return json.dumps([hit._asdict() for hit in hits], separators=(",", ":"))


def as_tag(hits: Sequence[Hit]) -> str:
    """As many as a tag holds; where that is not all, its last entry counts the others and names their file."""
    shown = len(hits)
    while len(tag := _tag(hits, shown)) > ROOM:
        shown = min(shown - 1, shown * ROOM // len(tag))
    return tag


def _tag(hits: Sequence[Hit], shown: int) -> str:
    entries: list[dict[str, object]] = [hit._asdict() for hit in hits[:shown]]
    if shown < len(hits):
        entries.append({"more": len(hits) - shown, "file": FILE})
    return json.dumps(entries, separators=(",", ":"))
