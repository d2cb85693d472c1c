"""The local Hub: revisions by content, references, and a push that is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import HubError, StoreError
from infra.hub.local import LocalHub
from tests.infra.hub.folders import REPO, files_in, folder_of


@pytest.fixture
def hub(tmp_path: Path) -> LocalHub:
    return LocalHub(tmp_path / "hub")


def test_pushed_files_are_found_under_main_and_under_the_stable_path(hub: LocalHub, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", README="card", data__train="rows")
    pushed = hub.push("dataset", REPO, source, "first")
    assert re.fullmatch(r"[0-9a-f]{40}", pushed.revision)
    assert hub.resolve("dataset", REPO) == Path(pushed.path)
    stable = hub.root / "datasets" / "local" / "intents" / "main"
    assert files_in(stable) == files_in(source) == files_in(Path(pushed.path))


def test_a_revision_that_lost_its_bytes_or_is_not_main_is_made_again(hub: LocalHub, tmp_path: Path) -> None:
    pushed = hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first", source="key")
    (Path(pushed.path) / "card").write_text("y")
    assert hub.made_from("model", REPO, "key") is None
    hub.push("model", REPO, tmp_path / "a", "mended", source="key")
    assert hub.made_from("model", REPO, "key") is not None
    hub.push("model", REPO, folder_of(tmp_path / "b", card="new"), "second", source="other")
    assert hub.made_from("model", REPO, "key") is None


def test_a_damaged_snapshot_is_replaced_by_the_next_push(hub: LocalHub, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "a", card="x")
    pushed = hub.push("model", REPO, source, "")
    (Path(pushed.path) / "card").write_text("y")
    assert files_in(Path(hub.push("model", REPO, source, "").path)) == {"card": "x"}


def test_what_a_killed_push_left_is_swept_away(hub: LocalHub, tmp_path: Path) -> None:
    pushed = hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
    snapshots = Path(pushed.path).parent
    folder_of(snapshots / ".partial-0123", card="half")
    hub.push("model", REPO, folder_of(tmp_path / "b", card="z"), "")
    assert not list(snapshots.glob(".partial-*"))


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.06])
def test_a_push_killed_anywhere_leaves_the_old_state_or_the_new(
    hub: LocalHub, tmp_path: Path, delay: float
) -> None:
    old = folder_of(tmp_path / "old", card="old")
    new = folder_of(tmp_path / "new", **{f"part{i}": str(i) * 20_000 for i in range(400)})
    hub.push("model", REPO, old, "old")
    code = (
        "import sys; from pathlib import Path; from infra.hub.local import LocalHub\n"
        "hub = LocalHub(Path(sys.argv[1])); print('ready', flush=True)\n"
        f"hub.push('model', {REPO!r}, Path(sys.argv[2]), 'new')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, hub.root, new], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert files_in(hub.resolve("model", REPO)) in (files_in(old), files_in(new))
    assert files_in(Path(hub.push("model", REPO, new, "new").path)) == files_in(new)
    assert not list((hub.root / "models/local/intents/snapshots").glob(".partial-*"))


def test_a_full_disk_is_named_with_its_remedy(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", root], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs root and CAP_SYS_ADMIN: a small disk is mounted")
    try:
        for folder in ("snapshots", "refs"):
            (root / "models/local/intents" / folder).mkdir(parents=True)
        with (root / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(root).free)
        with pytest.raises(StoreError, match="disk is full"):
            LocalHub(root).push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
        with pytest.raises(HubError, match="no revision"):
            LocalHub(root).resolve("model", REPO)
    finally:
        subprocess.run(["umount", root], check=True)
