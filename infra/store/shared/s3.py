"""Objects on S3, or on what speaks its protocol (`AWS_ENDPOINT_URL`). Credentials are the AWS clients' own."""

import base64
import errno
import hashlib
import logging
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import aiohttp
import s3fs
from botocore import exceptions as aws

from infra.store.shared.bucket import BucketObjects, in_parallel, read_part
from infra.store.shared.object_store import Cause, refused

MOST_PARTS = 10_000
# Of the retries of three layers ours wait longest; the client's own are for a connection that was just cut.
CLIENT_RETRIES = {"total_max_attempts": 2, "mode": "standard"}
CONNECT_SECONDS = 10
BAD_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)
NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.TokenRetrievalError,
)
NO_ANSWER = (
    aws.HTTPClientError,
    aws.ConnectionError,
    aiohttp.ClientError,
    HTTPException,
    TimeoutError,
    ConnectionError,
)
BUSY = frozenset({errno.EBUSY, errno.EREMOTEIO})


class S3Objects(BucketObjects):
    """See `ObjectStore`."""

    attempts = 4

    @staticmethod
    def classify(error: BaseException) -> tuple[Cause, str]:
        """See `BucketObjects.classify`. s3fs hides the answer behind an OSError and keeps it as the cause."""
        answer = getattr(error.__cause__, "response", None) or getattr(error, "response", None) or {}
        code = str(answer.get("Error", {}).get("Code", ""))
        found = " ".join(filter(None, (type(error).__name__, code)))
        if isinstance(error, NO_CREDENTIALS) or code in BAD_CREDENTIALS:
            return "credentials", found
        if isinstance(error, NO_ANSWER) or (isinstance(error, OSError) and error.errno in BUSY):
            return "unreachable", found
        if isinstance(error, PermissionError):
            return "denied", found
        return "other", found

    def check(self) -> None:
        """See `ObjectStore.check`."""
        try:
            self._call("opening", "list_objects_v2", Prefix=self.prefix, MaxKeys=1)
        except FileNotFoundError:
            raise refused(self.url, "opening", "missing", f"bucket {self.bucket}") from None

    def send(self, source: Path, name: str) -> int:
        """See `ObjectStore.send`. S3 checks the sha256 of what it receives."""
        size = source.stat().st_size
        if size > self.part_bytes:
            try:
                return self._send_parts(source, name, size)
            except FileNotFoundError:  # Another machine completed or ended this very upload.
                folder, _, file = name.rpartition("/")
                whole = self.sizes(folder).get(file) == size
                return 0 if whole else self._send_parts(source, name, size)
        data, doing = source.read_bytes(), f"writing {name}"
        self._call(doing, "put_object", Key=self.key(name), Body=data, ChecksumSHA256=_sha256(data))
        return size

    def _send_parts(self, source: Path, name: str, size: int) -> int:
        key, parts = self.key(name), list(enumerate(self.parts(size, MOST_PARTS), start=1))
        write = partial(self._call, f"writing {name}")
        upload = self._under_way(name) or write(
            "create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256"
        )
        target = {"Key": key, "UploadId": upload["UploadId"]}
        there = self._parts_there(name, target)

        def send_part(item: tuple[int, tuple[int, int]]) -> tuple[dict[str, Any], int]:
            number, (start, length) = item
            data = read_part(source, start, length)
            part: dict[str, Any] = {"PartNumber": number, "ChecksumSHA256": _sha256(data)}
            if number in there and _has_arrived(there[number], data, part["ChecksumSHA256"]):
                return part | {"ETag": there[number]["ETag"]}, 0
            return part | {"ETag": write("upload_part", **target, **part, Body=data)["ETag"]}, length

        sent = list(in_parallel(send_part, parts))
        whole = {"Parts": [part for part, _ in sent]}
        write("complete_multipart_upload", **target, MultipartUpload=whole)
        return sum(length for _, length in sent)

    def _under_way(self, name: str) -> dict[str, Any] | None:
        """An upload of this object that was broken off; its parts need not be sent again."""
        key = self.key(name)
        found = self._call(f"writing {name}", "list_multipart_uploads", Prefix=key).get("Uploads", [])
        return next((upload for upload in found if upload["Key"] == key), None)

    def _parts_there(self, name: str, target: dict[str, str]) -> dict[int, dict[str, Any]]:
        """Parts of an upload that have arrived, by number; S3 lists a thousand at a time."""
        there: dict[int, dict[str, Any]] = {}
        page: dict[str, Any] = {"NextPartNumberMarker": 0, "IsTruncated": True}
        while page.get("IsTruncated"):
            marker = page["NextPartNumberMarker"]
            page = self._call(f"writing {name}", "list_parts", **target, PartNumberMarker=marker)
            there |= {part["PartNumber"]: part for part in page.get("Parts", [])}
        return there

    def _call(self, doing: str, method: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(
            doing, lambda: self.files.call_s3(method, Bucket=self.bucket, **arguments)
        )
        return answer


def connect(url: str, bucket: str, prefix: str, part_bytes: int, timeout_s: float) -> BucketObjects:
    """A bucket; nothing is asked yet."""
    logging.getLogger("s3fs").setLevel(logging.CRITICAL)  # What it tries again is no news.
    client = {"connect_timeout": CONNECT_SECONDS, "read_timeout": timeout_s, "retries": CLIENT_RETRIES}
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=client)
    files.retries = 2
    return S3Objects(url, files, bucket, prefix, part_bytes)


def _has_arrived(part: dict[str, Any], data: bytes, digest: str) -> bool:
    """Whether a listed part has these bytes: by its sha256, or its MD5 where a server lists no checksums."""
    if checksum := part.get("ChecksumSHA256"):
        return bool(checksum == digest)
    return bool(part["ETag"].strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest())


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
