"""S3 and Cloud Storage on this machine: moto's server and gcp-storage-emulator, in threads, in memory.

moto knows If-None-Match and multipart uploads with checksums, but lists none for parts, and takes any credentials. The
emulator knows uploads, ranges, listing and compose; added here is what it lacks: that an upload's session can be ended, that
an object is made only where there is none (ifGenerationMatch=0), and that a semicolon is part of a path. Left out: other
conditions, credentials.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import HTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage
from moto.server import ThreadedMotoServer

from infra.machine.processes import LOOPBACK
from tests.fakes.serving import serving

BUCKET = "stillhouse-tests"
ENDED, PRECONDITION_FAILED = 499, 412


@contextmanager
def s3_server() -> Iterator[str]:
    """Address of an S3 with one bucket."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # The first request waits until moto has loaded S3.
    httpx.put(f"{endpoint}/{BUCKET}", trust_env=False, timeout=120).raise_for_status()
    try:
        yield endpoint
    finally:
        server.stop()


def gcs_server() -> AbstractContextManager[str]:
    """Address of a Cloud Storage with one bucket."""
    storage = _Storage(use_memory_fs=True)
    create_bucket(BUCKET, storage)
    # One request at a time, as the emulator's own.
    return serving(HTTPServer((LOOPBACK, 0), partial(_Handler, storage)))


class _Exists(Exception):
    """There is such an object, and the request was to be done only where there is none."""


class _Storage(Storage):
    only_new = False

    def create_file(self, bucket_name: str, file_name: str, *content: Any) -> None:
        if self.only_new and file_name in self.objects.get(bucket_name, {}):
            raise _Exists
        super().create_file(bucket_name, file_name, *content)


class _Handler(RequestHandler):
    storage: _Storage

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            # The emulator takes what follows for parameters of the path (RFC 2396), and loses it.
            self.path = self.path.replace(";", "%3B")
        return parsed

    def do_POST(self) -> None:
        # That a session has ended is answered before its bytes are read: they would break the connection, and lose it.
        self.rfile = BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.storage.only_new = parse_qs(urlsplit(self.path).query).get("ifGenerationMatch") == ["0"]
        try:
            super().do_POST()
        except _Exists:
            self._answer(PRECONDITION_FAILED)

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path.startswith("/upload/"):
            self._answer(ENDED)
        else:
            super().do_DELETE()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
