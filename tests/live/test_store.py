"""The shared store on the real clouds, with your credentials: skipped unless a bucket is named. Leaves nothing there.

STILLHOUSE_LIVE_STORE_S3=s3://bucket/prefix STILLHOUSE_LIVE_STORE_GCS=gs://bucket/prefix pytest tests/live/test_store.py
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.store.shared.opening import open_objects
from tests.infra.store.shared.machines import PART_MIB, Machine

PART = PART_MIB << 20


@pytest.fixture(params=["STILLHOUSE_LIVE_STORE_S3", "STILLHOUSE_LIVE_STORE_GCS"])
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A random place under the one that was named, emptied at the end."""
    named = os.environ.get(request.param)
    if not named:
        pytest.skip(f"costs a few requests: set {request.param} to a bucket and prefix of yours")
    place = f"{named.rstrip('/')}/live-{uuid4().hex}"
    yield place
    objects = open_objects(place, PART, 60)
    for folder in ("artifacts", "first"):
        for name in objects.sizes(folder):
            objects.delete(f"{folder}/{name}")
        assert objects.sizes(folder) == {}


def test_what_one_machine_sent_another_gets(prefix: str, tmp_path: Path) -> None:
    a, b = Machine(tmp_path / "a", prefix), Machine(tmp_path / "b", prefix)
    files = {"sub/ünï code+%.txt": "two\r\nlines\r", "empty": "", "model.bin": "0123456789abcdef" * 800_000}
    record = a.make(files)
    assert a.remote().push(record).sent == sum(file.size for file in record.files.values())
    found = b.find(record)
    assert found is not None
    assert found.digest == record.digest
    assert a.remote().holds(record)
    assert a.remote().push(record).sent == 0


def test_of_two_that_create_an_object_the_first_wins(prefix: str) -> None:
    """The emulator of Cloud Storage cannot show it."""
    objects = open_objects(prefix, PART, 60)
    assert [objects.create("first/record", text) for text in (b"1", b"2")] == [True, False]
    assert objects.read("first/record") == b"1"
