"""What a run does with the shared store: look there before it computes, put there what it computed.

Without `STILLHOUSE_STORE` none of it happens, and nothing of it is imported. A store that does not answer never stops a
run: that is said once, and the run goes on with its home alone. A wrong address, a missing bucket or credentials that
do not open it do stop it, before anything is computed.
"""

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from rich.text import Text

from infra.errors import StoreError, StoreUnreachable
from infra.settings import Settings
from infra.store.artifacts import Lookup, Store
from infra.store.record import RECORD_FILE, Record
from infra.store.shared.markers import SharedMarkers

if TYPE_CHECKING:
    from infra.store.shared.remote_store import RemoteStore

AGAIN = "it is put there at its next hit, or by `python -m infra.cli store push`"


def open_remote(settings: Settings, store: Store) -> "RemoteStore":
    """The shared store of the settings, asked whether it is there. Raises StoreError with the remedy."""
    from infra.store.shared.object_store import EXPECTED, open_objects
    from infra.store.shared.remote_store import MIB, RemoteStore

    if settings.store is None:
        raise StoreError("there is no shared store: STILLHOUSE_STORE is not set; " + EXPECTED)
    objects = open_objects(settings.store, settings.store_part_mib * MIB, settings.store_timeout_s)
    objects.check()
    return RemoteStore(settings, store, objects, settings.store)


class Sharing:
    """The store of a run, with the shared one behind it."""

    def __init__(self, settings: Settings, store: Store, say: Callable[[str | Text], None]) -> None:
        self.settings, self.store, self.say = settings, store, say
        self._remote: RemoteStore | None = None
        self._off = settings.store is None

    def find(self, stage: str, key: str, full: bool = False) -> Lookup:
        """What is in the home, or else what the shared store has, which is downloaded. The caller holds the key."""
        here = self.store.find(stage, key, full)
        if here.record is not None or self._off:
            return here
        try:
            found = self._open().fetch(stage, key)
        except StoreUnreachable as error:
            self._go_on_alone(error)
            return here
        if found.record is None:
            return Lookup(None, found.problem or here.problem)
        size = sum(file.size for file in found.record.files.values()) / 1e6
        self.say(_done("fetched", f"{stage}: {len(found.record.files)} files, {size:.1f} MB from the store"))
        return Lookup(found.record)

    def look(self, stage: str, key: str, full: bool = False) -> Lookup:
        """The same for a dry run: nothing is downloaded but a record."""
        here = self.store.find(stage, key, full)
        if here.record is not None or self._off:
            return here
        try:
            found = self._open().record(stage, key)
        except StoreUnreachable as error:
            self._go_on_alone(error)
            return here
        return Lookup(found.record, found.problem or here.problem)

    def share(self, record: Record) -> None:
        """Put an artifact into the shared store, unless it is known to be there. A failure is said, never raised."""
        if self.settings.store_cache_gb is not None:
            os.utime(
                self.store.folder(record.stage, record.key) / RECORD_FILE
            )  # Used now: the last to be evicted.
        if self._off or self._known(record):
            return
        try:
            sent = self._open().push(record)
        except StoreUnreachable as error:
            self._go_on_alone(error)
        except StoreError as error:
            self.say(_odd(f"{record.stage} is not in the shared store: {error} Then {AGAIN}."))
        else:
            again = f", {(sent.size - sent.sent) / 1e6:.1f} MB were there" if sent.sent < sent.size else ""
            self.say(_done("shared", f"{record.stage}: {sent.sent / 1e6:.1f} MB sent{again}"))
            if sent.other is not None:
                self.say(_odd(f"another machine has put {sent.other[:12]} there: same key, other bytes"))

    def trim(self, used: Collection[str]) -> None:
        """Bring the home back to its bound; what this run used (keys) stays."""
        bound = self.settings.store_cache_gb
        if bound is None or self._off:
            return
        from infra.catalog.eviction import evict

        try:
            gone = evict(self.settings, self.store, self._open(), bound * 1e9, used)
        except StoreError as error:
            self.say(_odd(f"nothing more was evicted: {error}"))
            return
        if gone:
            size = sum(item.size for item in gone) / 1e6
            self.say(_done("evicted", f"{size:.1f} MB in {len(gone)} folders; the store has them"))

    def _open(self) -> "RemoteStore":
        if self._remote is None:
            self._remote = open_remote(self.settings, self.store)
        return self._remote

    def _known(self, record: Record) -> bool:
        url = self.settings.store
        return url is not None and SharedMarkers.of(self.settings, url).knows(record.stage, record.key)

    def _go_on_alone(self, error: StoreError) -> None:
        self._off = True
        self.say(_odd(f"{error} The run goes on with its home alone; what it computes: {AGAIN}."))


def _done(what: str, about: str) -> Text:
    return Text.assemble("  ", (f"{what:<8}", "dim"), f" {about}")


def _odd(about: str) -> Text:
    return Text(f"  {about}", "yellow")
