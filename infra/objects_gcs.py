"""Objects on Google Cloud Storage, or its emulator (`STORAGE_EMULATOR_HOST`). Credentials are ADC."""

import base64
import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

# Read when gcsfs is imported: its default speaks gRPC to every bucket, to ask what kind it is.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

import aiohttp
import gcsfs
import google_crc32c
import requests
from gcsfs.retry import ChecksumError, HttpError
from google.auth import exceptions as auth

from infra.errors import StoreError
from infra.object_store import Cause, refused
from infra.objects_bucket import BucketObjects, in_parallel, read_part

MOST_PARTS = 32  # that one request composes
SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)  # seconds
UNAUTHORIZED, FORBIDDEN, BUSY = 401, 403, frozenset({408, 429, 500, 502, 503, 504})
NO_ANSWER = (
    aiohttp.ClientError,
    requests.RequestException,
    auth.TransportError,
    ChecksumError,
    TimeoutError,
    ConnectionError,
)


class GcsObjects(BucketObjects):
    """See `ObjectStore`."""

    attempts = 1  # gcsfs itself tries six times, for half a minute

    @staticmethod
    def classify(error: BaseException) -> tuple[Cause, str]:
        """See `BucketObjects.classify`."""
        code = int(error.code or 0) if isinstance(error, HttpError) else 0
        found = f"{type(error).__name__} {code}" if code else type(error).__name__
        if isinstance(error, NO_ANSWER) or code in BUSY:
            return "unreachable", found
        if isinstance(error, auth.GoogleAuthError) or code == UNAUTHORIZED:
            return "credentials", found
        if code == FORBIDDEN or (isinstance(error, OSError) and str(error).startswith("Forbidden")):
            return "denied", found
        return "other", found

    def check(self) -> None:
        """See `ObjectStore.check`."""
        listing = {"prefix": self.prefix or None, "maxResults": 1}
        try:
            self.ask("opening", lambda: self.files.call("GET", "b/{}/o", self.bucket, **listing))
        except FileNotFoundError:
            raise refused(self.url, "opening", "missing", f"bucket {self.bucket}") from None

    def send(self, source: Path, name: str) -> int:
        """See `ObjectStore.send`. The MD5, of composed objects the CRC32C, of what arrived is compared."""
        size = source.stat().st_size
        if size <= self.part_bytes:
            self._write(name, source.read_bytes())
            return size
        pieces = self.parts(size, MOST_PARTS)
        folder, _, file = name.rpartition("/")
        names = [f"{file}.part-{i + 1}-of-{len(pieces)}" for i in range(len(pieces))]
        there = self.sizes(folder)

        def send_part(item: tuple[str, tuple[int, int]]) -> int:
            part, (start, length) = item
            if there.get(part) == length:
                return 0
            self._write(f"{folder}/{part}", read_part(source, start, length))
            return length

        sent = sum(in_parallel(send_part, list(zip(names, pieces, strict=True))))
        self._compose(source, name, [f"{folder}/{part}" for part in names])
        return sent

    def _compose(self, source: Path, name: str, parts: list[str]) -> None:
        paths = [self.path(part) for part in parts]
        # Not there: another machine that sent the same bytes was first, and took its parts away.
        with suppress(FileNotFoundError):
            self.ask(f"composing {name}", lambda: self.files.merge(self.path(name), paths))
        try:
            found = self.ask(f"reading {name}", lambda: self.files.info(self.path(name)))
        except FileNotFoundError:
            raise refused(self.url, f"composing {name}", "unreachable", "parts are gone") from None
        if found["crc32c"] != crc32c(source):
            self.delete(name)
            raise StoreError(f"{self.url}: {name} did not arrive as it was sent: it is sent again next time.")
        for part in parts:
            self.delete(part)

    def _write(self, name: str, data: bytes) -> None:
        """Upload in a session of one piece: gcsfs's one-request form breaks on data that holds its boundary."""
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        options = {"consistency": "md5", "chunksize": len(data) or 1}
        for _ in range(2):
            with suppress(FileNotFoundError):
                self.ask(f"writing {name}", lambda: self.files.pipe_file(self.path(name), data, **options))
                return
            # The session is gone. It has ended, or it had everything and only its answer was lost.
            with suppress(FileNotFoundError):
                found = self.ask(f"reading {name}", lambda: self.files.info(self.path(name)))
                if found.get("md5Hash") == md5:
                    return
        raise refused(self.url, f"writing {name}", "unreachable", "the session ended twice")


def connect(url: str, bucket: str, prefix: str, part_bytes: int) -> GcsObjects:
    """A bucket. Raises StoreError where there are no credentials."""
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # What it tries again is no news.
    options: dict[str, Any] = {
        "token": "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default",
        "requests_timeout": SILENCE,
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }
    try:
        files = gcsfs.GCSFileSystem(**options)
    except (auth.GoogleAuthError, ValueError) as error:
        raise refused(url, "opening", "credentials", type(error).__name__) from None
    return GcsObjects(url, files, bucket, prefix, part_bytes)


def crc32c(source: Path) -> str:
    """CRC32C of a file, as Cloud Storage writes it."""
    checksum = 0
    with source.open("rb") as file:
        while piece := file.read(1 << 20):
            checksum = google_crc32c.extend(checksum, piece)
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()
