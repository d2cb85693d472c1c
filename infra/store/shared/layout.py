"""Where an artifact lies in a shared store, and what is found there.

<store>/artifacts/<stage>/<key>/record.json           written last, by whoever is first
<store>/artifacts/<stage>/<key>/<digest>/<files>      content of one digest: written once, never changed
"""

from dataclasses import dataclass

from infra.store.artifacts import KEY_LENGTH
from infra.store.record import RECORD_FILE, Record


@dataclass(frozen=True)
class Found:
    """What the shared store has under a key: a record, or what is wrong with it.

    `damaged`: it serves nobody. `unsigned`: it serves who has no key for signatures, and us once it is signed.
    """

    record: Record | None = None
    problem: str | None = None
    damaged: bool = False
    unsigned: bool = False


def record_name(stage: str, key: str) -> str:
    """Name of the record of a key."""
    return f"artifacts/{stage}/{key[:KEY_LENGTH]}/{RECORD_FILE}"


def content_folder(record: Record) -> str:
    """Where the files of a record lie."""
    return f"artifacts/{record.stage}/{record.key[:KEY_LENGTH]}/{record.digest[:KEY_LENGTH]}"
