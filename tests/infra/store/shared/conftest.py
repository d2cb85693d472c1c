"""Shared stores for the tests: a folder, S3 and Cloud Storage, the two behind a proxy that can fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fakes.faulty_proxy import Proxy
from tests.fakes.object_stores import BUCKET

SECRET = "canary-7f3a1b5e-secret"
CLOUDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("s3", "gs")]


@dataclass(frozen=True)
class SharedPlace:
    """An address for STILLHOUSE_STORE that no other test uses, and the proxy in front of it; None for a folder."""

    url: str
    proxy: Proxy | None

    @property
    def failing(self) -> Proxy:
        assert self.proxy is not None
        return self.proxy


def _place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedPlace]:
    if kind == "file":
        yield SharedPlace((tmp_path / "shared store").as_uri(), None)
        return
    proxy: Proxy = request.getfixturevalue("s3_proxy" if kind == "s3" else "gcs_proxy")
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for name, value in {
        "AWS_ENDPOINT_URL": proxy.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STORAGE_EMULATOR_HOST": proxy.endpoint,
    }.items():
        patch.setenv(name, value)
    proxy.arm(None)
    yield SharedPlace(f"{kind}://{BUCKET}/{uuid4().hex}", proxy)
    proxy.arm(None)


@pytest.fixture(params=["file", *CLOUDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedPlace]:
    """A shared store of each kind."""
    yield from _place(request.param, request, tmp_path)


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedPlace]:
    """A shared store of each kind that lies behind a network."""
    yield from _place(request.param, request, tmp_path)


@pytest.fixture
def cloud_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedPlace]:
    """A shared store on Cloud Storage."""
    yield from _place("gs", request, tmp_path)
