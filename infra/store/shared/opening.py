"""From an address to the place that holds objects: a folder (`file:///path`), Google Cloud Storage (`gs://bucket/prefix`) or
S3 (`s3://bucket/prefix`). A cloud's client is imported when an address names that cloud, and not before.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.errors import StoreError
from infra.store.shared.folder import FolderObjects
from infra.store.shared.object_store import ObjectStore

EXTRAS = {"gs": "gcs", "s3": "s3"}
EXPECTED = "expected file:///path, gs://bucket/prefix or s3://bucket/prefix. Correct STILLHOUSE_STORE."


def open_objects(url: str, part_bytes: int, timeout_s: float) -> ObjectStore:
    """The place that an address names; large files travel in parts of `part_bytes`, silence ends after `timeout_s`.

    Raises StoreError for a wrong address or a missing extra.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or "@" in parts.netloc:
        raise StoreError(
            "STILLHOUSE_STORE holds more than a place: found a user, a password or a query in it, "
            "credentials come from the environment of the cloud's own client; " + EXPECTED
        )
    if parts.scheme == "file" and not parts.netloc and len(parts.path) > 1:
        return FolderObjects(Path(unquote(parts.path)))
    if parts.scheme not in EXTRAS or not parts.netloc:
        raise StoreError(f"STILLHOUSE_STORE={url} is not a store: {EXPECTED}")
    try:
        if parts.scheme == "gs":
            from infra.store.shared.gcs import connect
        else:
            from infra.store.shared.s3 import connect
    except ImportError as error:
        raise StoreError(
            f"{url} needs {error.name}, which is not installed. "
            f"Run `pip install 'stillhouse[{EXTRAS[parts.scheme]}]'`."
        ) from None
    return connect(url, parts.netloc, parts.path.strip("/"), part_bytes, timeout_s)
