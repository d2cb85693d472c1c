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
from infra.store.shared.bucket import BucketObjects, in_parallel, read_part
from infra.store.shared.object_store import Cause, refused

MOST_COMPOSED = 32  # by one request
CONNECT_SECONDS = 10
UNAUTHORIZED, FORBIDDEN, GONE, BUSY = 401, 403, 410, frozenset({408, 429, 500, 502, 503, 504})
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
        pieces = self.parts(size)
        folder = name.rpartition("/")[0]
        names = [f"{name}.part-{i + 1}-of-{len(pieces)}" for i in range(len(pieces))]
        there = self.sizes(folder)

        def send_part(item: tuple[str, tuple[int, int]]) -> int:
            part, (start, length) = item
            if there.get(part.removeprefix(f"{folder}/")) == length:
                return 0
            self._write(part, read_part(source, start, length))
            return length

        sent = sum(in_parallel(send_part, list(zip(names, pieces, strict=True))))
        self._compose(source, name, names)
        return sent

    def _compose(self, source: Path, name: str, parts: list[str]) -> None:
        """Make one object of its parts, in rounds where they are more than a request takes, and take them away."""
        level, used = parts, list(parts)
        # Not there: another machine that sent the same bytes was first, and took its parts away.
        with suppress(FileNotFoundError):
            while len(level) > MOST_COMPOSED:
                groups = [level[i : i + MOST_COMPOSED] for i in range(0, len(level), MOST_COMPOSED)]
                level = [f"{group[0]}-to-{group[-1].rpartition('.')[2]}" for group in groups]
                used += level
                for group, merged in zip(groups, level, strict=True):
                    self._merge(merged, group)
            self._merge(name, level)
        try:
            found = self.ask(f"reading {name}", lambda: self.files.info(self.path(name)))
        except FileNotFoundError:
            raise refused(self.url, f"composing {name}", "unreachable", "parts are gone") from None
        arrived = found["crc32c"] == crc32c(source)
        # Parts of a wrong whole go as well: whichever is wrong has the right size, and would be used again.
        for gone in used if arrived else (name, *used):
            self.delete(gone)
        if not arrived:
            raise StoreError(f"{self.url}: {name} did not arrive as it was sent: it is sent again next time.")

    def _merge(self, name: str, parts: list[str]) -> None:
        paths = [self.path(part) for part in parts]
        self.ask(f"composing {name}", lambda: self.files.merge(self.path(name), paths))

    def _write(self, name: str, data: bytes) -> None:
        """Upload in a session of one piece: gcsfs's one-request form breaks on data that holds its boundary."""
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        for _ in range(2):
            with suppress(FileNotFoundError):
                self.ask(f"writing {name}", lambda: self._write_session(name, data))
                return
            # The session is gone. It has ended, or it had everything and only its answer was lost.
            with suppress(FileNotFoundError):
                found = self.ask(f"reading {name}", lambda: self.files.info(self.path(name)))
                if found.get("md5Hash") == md5:
                    return
        raise refused(self.url, f"writing {name}", "unreachable", "the session ended twice")

    def _write_session(self, name: str, data: bytes) -> None:
        try:
            self.files.pipe_file(self.path(name), data, consistency="md5", chunksize=len(data) or 1)
        except HttpError as error:
            if int(error.code or 0) == GONE:
                raise FileNotFoundError(name) from error
            raise


def connect(url: str, bucket: str, prefix: str, part_bytes: int, timeout_s: float) -> BucketObjects:
    """A bucket. Raises StoreError where there are no credentials."""
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # What it tries again is no news.
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    options: dict[str, Any] = {
        # Both now: gcsfs would look for the emulator again at each request.
        "token": "anon" if emulator else "google_default",
        "endpoint_url": f"http://{emulator}" if emulator and "://" not in emulator else emulator,
        "requests_timeout": aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout_s
        ),
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
