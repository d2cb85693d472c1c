"""S3 and Cloud Storage on this machine: moto's server and gcp-storage-emulator, in threads, in memory.

moto knows If-None-Match and multipart uploads with checksums, but takes any credentials. The emulator leaves out
conditions (ifGenerationMatch is not looked at) and credentials; uploads, ranges, listing and compose are as the real one's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer

LOOPBACK = "127.0.0.1"
BUCKET = "stillhouse-tests"


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


@contextmanager
def gcs_server() -> Iterator[str]:
    """Address of a Cloud Storage with one bucket."""
    server = create_server(LOOPBACK, 0, in_memory=True, default_bucket=BUCKET)
    server.start()
    host, port = server._api._httpd.server_address[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
