"""A home of bounded size: what the shared store has can go, what was used longest ago goes first. The records stay."""

from collections.abc import Collection

from filelock import FileLock, Timeout

from infra.catalog.gc import Garbage
from infra.engine.abandoned import live_runs
from infra.files import disk_errors
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import RECORD_FILE, Record
from infra.store.shared.remote_store import RemoteStore


def evict(
    settings: Settings, store: Store, remote: RemoteStore, bound: float, used: Collection[str]
) -> list[Garbage]:
    """Take artifacts' files away until the home holds `bound` bytes of them, and return what went.

    An artifact stays when the shared store does not have it, byte for byte by its listing; when its key is in
    `used` or held by a process; and all stay while another flow runs in this home. Work folders are not looked at.
    Raises StoreError where the store cannot be asked.
    """
    records = [record for record in store.records() if store.is_here(record)]
    sizes = {record.key: sum(file.size for file in record.files.values()) for record in records}
    over = sum(sizes.values()) - bound
    if over <= 0 or live_runs(settings):
        return []

    def last_used(key: str, stage: str) -> int:
        return (store.folder(stage, key) / RECORD_FILE).stat().st_mtime_ns

    idle = [record for record in records if record.key not in used]
    gone = []
    for record in sorted(idle, key=lambda record: last_used(record.key, record.stage)):
        if over <= 0:
            break
        item = Garbage(store.folder(record.stage, record.key), sizes[record.key], "the shared store has it")
        if remote.holds(record) and _leave_record(store, record):
            over -= item.size
            gone.append(item)
    return gone


def _leave_record(store: Store, record: Record) -> bool:
    """Take the files of an artifact away; False when another process holds its key."""
    lock = FileLock(store.settings.locks / f"{record.key[:KEY_LENGTH]}.lock")
    with disk_errors(store.settings.locks):
        store.settings.locks.mkdir(parents=True, exist_ok=True)
        try:
            with lock.acquire(blocking=False):
                store.leave_record(record)
        except Timeout:
            return False
    return True
