"""Objects in a bucket or a folder, by name: what a shared store of artifacts stands on.

Three places hold them: a folder, Google Cloud Storage and S3; `opening.py` opens the one that an address names. An object
appears whole or not at all, and is written once.
"""

from pathlib import Path
from typing import Literal, Protocol

from infra.errors import StoreError, StoreUnreachable

Cause = Literal["missing", "denied", "credentials", "unreachable", "other"]
REMEDIES: dict[Cause, str] = {
    "missing": "there is no such bucket. Make it, or correct the address (STILLHOUSE_STORE, or STILLHOUSE_BIGQUERY_EXPORT)",
    "denied": "the credentials may not do this. Have their owner allow to list, read, write and delete objects there",
    "credentials": "no usable credentials. For gs:// run `gcloud auth application-default login` or set "
    "GOOGLE_APPLICATION_CREDENTIALS; for s3:// set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "unreachable": "it does not answer. Look at the network, a proxy and the endpoint "
    "(AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST)",
    "other": "it was refused. `stillhouse doctor` looks at the store alone",
}


class ObjectStore(Protocol):
    """Where objects lie. Every method raises StoreError with the remedy, StoreUnreachable where only time helps."""

    def check(self) -> None:
        """Prove that the place is there and may be listed."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of each object under a folder, by its name relative to it."""

    def read(self, name: str) -> bytes | None:
        """A small object; None where there is none."""

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` (exclusive) of an object; b"" where there is none."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one: False when another was first."""

    def send(self, source: Path, name: str) -> int:
        """Upload a file, large ones in parts that outlive a kill; gives the bytes that had to be sent."""

    def delete(self, name: str) -> None:
        """Take an object away; nothing happens where there is none."""


def refused(url: str, doing: str, cause: Cause, found: str) -> StoreError:
    """What to raise: what was found, and what to do about its cause."""
    kind = StoreUnreachable if cause == "unreachable" else StoreError
    return kind(f"{url}: {doing} failed ({found}): {REMEDIES[cause]}.")
