"""From an address to the place that holds objects: a folder (`file:///path`), Google Cloud Storage (`gs://bucket/prefix`) or
S3 (`s3://bucket/prefix`). A cloud's client is imported when an address names that cloud, and not before.
"""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

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
        return _open_bucket(url, parts, part_bytes, timeout_s)
    except ImportError as error:
        raise StoreError(
            f"{url} needs {error.name}, which is not installed. "
            f"Run `pip install 'stillhouse[{EXTRAS[parts.scheme]}]'`."
        ) from None


def _open_bucket(url: str, parts: SplitResult, part_bytes: int, timeout_s: float) -> ObjectStore:
    bucket, prefix = parts.netloc, parts.path.strip("/")
    if parts.scheme == "gs":
        from infra.store.shared import gcs

        return gcs.connect(url, bucket, prefix, part_bytes, timeout_s)
    from infra.store.shared import s3

    return s3.connect(url, bucket, prefix, part_bytes, timeout_s)
