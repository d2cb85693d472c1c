"""A home of bounded size: what the shared store has can go, what was used longest ago goes first. The records stay."""

from functools import partial
from typing import TYPE_CHECKING

from infra.catalog.garbage import Garbage, last_use
from infra.errors import StoreError
from infra.files import disk_errors
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.locks import freeing, keys_in_use
from infra.store.record import Record
from infra.store.shared.sharing import Sharing, done, odd

if TYPE_CHECKING:
    from infra.store.shared.remote_store import RemoteStore


def keep_bound(sharing: Sharing) -> None:
    """Bring a home back to the bound of its settings, if it has one, and say what went."""
    bound = sharing.settings.store_cache_gb
    if bound is None:
        return
    try:
        remote = sharing.remote()
        gone = evict(sharing.settings, sharing.store, remote, bound * 1e9) if remote is not None else []
    except StoreError as error:
        sharing.say(odd(f"nothing more was evicted: {error}"))
        return
    if gone:
        size = sum(item.size for item in gone) / 1e6
        sharing.say(done("evicted", f"{size:.1f} MB in {len(gone)} folders; the store has them"))


def evict(settings: Settings, store: Store, remote: "RemoteStore", bound: float) -> list[Garbage]:
    """Take artifacts' files away until the home holds `bound` bytes of them, and return what went.

    An artifact stays when the shared store does not have it, byte for byte by its listing, and while a run counts on
    it, this one or another. Work folders are not looked at. Raises StoreError where the store cannot be asked.
    """
    records = [record for record in store.records() if store.is_here(record)]
    over = sum(file.size for record in records for file in record.files.values()) - bound
    if over <= 0:
        return []
    in_use = keys_in_use(settings.locks)
    by_folder = {store.folder(record.stage, record.key): record for record in records}
    idle = [folder for folder in by_folder if folder.name not in in_use]
    gone = []
    for folder in sorted(idle, key=last_use):
        if over <= 0:
            break
        record = by_folder[folder]
        size, remove = sum(file.size for file in record.files.values()), partial(_leave_record, store, record)
        item = Garbage(folder, size, "the shared store has it", "artifacts", remove)
        if remote.holds(record) and item.remove():
            over -= item.size
            gone.append(item)
    return gone


def _leave_record(store: Store, record: Record) -> bool:
    """Take the files of an artifact away; False when a process computes its key or counts on it."""
    with disk_errors(store.settings.locks), freeing(store.settings.locks, record.key) as alone:
        if alone:
            store.leave_record(record)
    return alone
