"""Addresses of stores: what is refused, and how it is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import StoreError
from infra.store.shared.opening import open_objects

PART = 5 << 20
TIMEOUT = 60.0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "folder",
        "/folder",
        "file://",
        "file://host/path",
        "file:///",
        "gs://",
        "s3:///prefix",
        "http://a/b",
    ],
)
def test_a_wrong_address_names_the_right_ones(url: str) -> None:
    with pytest.raises(StoreError, match="expected file:///path, gs://bucket/prefix or s3://bucket/prefix"):
        open_objects(url, PART, TIMEOUT)


@pytest.mark.parametrize("url", ["s3://key:canary-secret@bucket/prefix", "gs://bucket/p?token=canary-secret"])
def test_credentials_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreError, match="credentials come from the environment") as refusal:
        open_objects(url, PART, TIMEOUT)
    assert "canary" not in str(refusal.value)


def test_a_shared_disk_that_is_not_mounted_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Mount it"):
        open_objects((tmp_path / "mnt" / "store").as_uri(), PART, TIMEOUT).check()
    assert not (tmp_path / "mnt").exists()


def test_of_two_that_create_an_object_the_first_wins(tmp_path: Path) -> None:
    objects = open_objects(tmp_path.as_uri(), PART, TIMEOUT)
    assert [objects.create("a/record", text) for text in (b"1", b"2")] == [True, False]
    assert objects.read("a/record") == b"1"
    assert list(objects.sizes("a")) == ["record"]


def _imported(program: str, **settings: str) -> set[str]:
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(printed.stdout.split())


def test_without_a_shared_store_no_client_is_imported() -> None:
    program = "import infra.store.shared.sharing, infra.cli.command, infra.cli.doctor"
    ours = {
        "infra.store.shared.object_store",
        "infra.store.shared.opening",
        "infra.store.shared.bucket",
        "infra.store.shared.remote_store",
        "infra.catalog.eviction",
    }
    assert not _imported(program) & {"fsspec", "gcsfs", "s3fs", "aiobotocore", "aiohttp", *ours}


def test_a_missing_extra_says_how_to_get_it() -> None:
    program = (
        "sys.modules['s3fs'] = None\n"
        "from infra.store.shared.opening import open_objects\nfrom infra.errors import StoreError\n"
        "try: open_objects('s3://bucket/prefix', 1, 1)\n"
        "except StoreError as error: print(error, file=sys.stderr); raise SystemExit(3)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert "pip install 'stillhouse[s3]'" in ended.stderr
