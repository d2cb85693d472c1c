"""The real Hub client against a local server that speaks its protocol."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.files import folder_digest
from tests.conftest import ROOT
from tests.fakes.hub import HubServer, hub_server
from tests.tasks.models.pretrained.tiny_model import write_model

NAME = ("model", "org/tiny")
# HF_ENDPOINT is read when the client is imported, so each look-up is a process of its own.
RESOLVE = """
import json, sys
from pathlib import Path
from infra.errors import StillhouseError
from tasks.models.pretrained.config import BaseModelConfig
from tasks.models.pretrained.resolve import resolve_base_model
try:
    pinned = resolve_base_model(BaseModelConfig(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    print(json.dumps({"folder": str(pinned.folder), "files": [path.name for path in pinned.files]}))
except StillhouseError as error:
    print(json.dumps({"error": type(error).__name__, "said": str(error)}))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    first, second = write_model(tmp_path / "first", 0.5), write_model(tmp_path / "second", 0.25)
    for folder in (first, second):
        (folder / "pytorch_model.bin").write_bytes(b"never fetched")
        (folder / "onnx").mkdir()
        (folder / "onnx" / "config.json").write_text("{}")
    with hub_server() as server:
        server.publish("org/tiny", first)
        server.publish("org/tiny", second, "v2")
        yield server


def commit(hub: HubServer, branch: str) -> str:
    return hub.repos[NAME].branches[branch]


def surroundings(endpoint: str, downloads: Path) -> dict[str, str]:
    """The environment of a process with this endpoint."""
    return os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(downloads / "hf"),
        "NO_PROXY": "127.0.0.1",
    }


def resolve(endpoint: str, downloads: Path, **config: str) -> dict[str, str]:
    """What a process with this endpoint prints; progress bars and warnings go to its stderr."""
    environment = surroundings(endpoint, downloads)
    command = [sys.executable, "-c", RESOLVE, json.dumps({"source": "org/tiny"} | config), str(downloads)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_branch_is_pinned_to_its_commit_and_safetensors_alone_are_fetched(hub, tmp_path):
    found = resolve(hub.endpoint, tmp_path / "models")
    folder = Path(found["folder"])
    assert folder.name == commit(hub, "main") and folder.is_relative_to(tmp_path / "models")
    assert found["files"] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(path.name for path in folder.iterdir()) == found["files"]
    assert not [request for request in hub.requests if "pytorch_model" in request or "onnx/" in request]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_download_draws_its_bar_on_a_terminal_and_nothing_into_a_log(hub, tmp_path, terminal):
    code = "from infra.machine import environment; environment.prepare()\n" + RESOLVE
    command = [sys.executable, "-c", code, json.dumps({"source": "org/tiny"}), str(tmp_path / "models")]
    environment = surroundings(hub.endpoint, tmp_path) | {"STILLHOUSE_HOME": str(tmp_path / "home")}
    environment.pop("HF_HUB_DISABLE_PROGRESS_BARS", None)  # this process's own, which has no terminal
    shown = tmp_path / "shown"
    reading, writing = os.openpty()
    termios.tcsetwinsize(writing, (24, 100))
    with shown.open("wb") as log:
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=writing if terminal else log
        )
        os.close(writing)
        with contextlib.suppress(OSError):  # a pseudo-terminal that nobody writes to any more
            while part := os.read(reading, 4096):
                log.write(part)
    assert child.wait(120) == 0
    os.close(reading)
    assert ("Fetching 3 files" in shown.read_text()) == terminal


def test_a_branch_that_moved_gives_the_new_commit(hub, tmp_path):
    before = resolve(hub.endpoint, tmp_path / "models")
    first, hub.repos[NAME].branches["main"] = commit(hub, "main"), commit(hub, "v2")
    after = resolve(hub.endpoint, tmp_path / "models")
    assert Path(before["folder"]).name == first and Path(after["folder"]).name == commit(hub, "v2") != first


def test_a_branch_that_moved_changes_neither_weights_nor_tokenizer_of_a_pinned_commit(hub, tmp_path):
    pinned = commit(hub, "main")
    before = Path(resolve(hub.endpoint, tmp_path / "one")["folder"])
    other = write_model(tmp_path / "other", 0.75) / "tokenizer.json"
    hub.repos[NAME].put({**hub.repos[NAME].files("v2"), "tokenizer.json": other.read_bytes() + b"\n"})
    again = Path(resolve(hub.endpoint, tmp_path / "two", revision=pinned)["folder"])
    assert folder_digest(again) == folder_digest(before)
    assert folder_digest(Path(resolve(hub.endpoint, tmp_path / "three")["folder"])) != folder_digest(before)


def test_a_branch_that_moves_while_it_is_fetched_gives_the_commit_that_was_pinned(hub, tmp_path):
    first, before = commit(hub, "main"), hub.repos[NAME].files()
    hub.before["/resolve/"] = lambda: hub.repos[NAME].put(
        {"config.json": b"{}", "model.safetensors": b"other"}
    )
    folder = Path(resolve(hub.endpoint, tmp_path / "models")["folder"])
    assert folder.name == first != commit(hub, "main")
    assert all(path.read_bytes() == before[path.name] for path in folder.iterdir())


def test_a_commit_fetched_before_needs_no_network(hub, tmp_path):
    second = commit(hub, "v2")
    assert Path(resolve(hub.endpoint, tmp_path / "models", revision="v2")["folder"]).name == second
    hub.requests.clear()
    assert Path(resolve(hub.endpoint, tmp_path / "models", revision=second)["folder"]).name == second
    assert hub.requests == []


def test_a_busy_hub_is_tried_again(hub, tmp_path):
    hub.busy = 2
    assert Path(resolve(hub.endpoint, tmp_path / "models")["folder"]).name == commit(hub, "main")


def test_the_pause_that_the_hub_asks_for_is_kept(hub, tmp_path):
    asked = "api/models/org/tiny"
    hub.fail(asked, 429, retry_after=2)
    assert Path(resolve(hub.endpoint, tmp_path / "models")["folder"]).name == commit(hub, "main")
    times = [time for time, request in zip(hub.times, hub.requests, strict=True) if request == f"GET {asked}"]
    assert times[1] - times[0] >= 2


def test_no_network_says_what_to_do(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    found = resolve(closed, tmp_path / "models")
    assert found["error"] == "HubError"
    for part in ("org/tiny at main", "expected a network", "as `--base.revision`", "local folder"):
        assert part in found["said"]


def test_a_model_or_revision_that_is_not_there_is_named(hub, tmp_path):
    missing = resolve(hub.endpoint, tmp_path / "models", source="org/nothing")
    assert missing["error"] == "HubError" and "no model 'org/nothing'" in missing["said"]
    assert "STILLHOUSE_HUB_TOKEN" in missing["said"]
    missing = resolve(hub.endpoint, tmp_path / "models", revision="v9")
    assert missing["error"] == "HubError" and "no revision 'v9'" in missing["said"]


def test_a_gated_model_says_how_to_get_in(hub, tmp_path):
    hub.repos[NAME].gated = True
    found = resolve(hub.endpoint, tmp_path / "models")
    assert found["error"] == "HubError" and "gated" in found["said"] and "Accept its terms" in found["said"]


def test_a_model_without_safetensors_is_refused_before_it_is_fetched(hub, tmp_path):
    hub.repos[NAME].put({"config.json": b"{}", "pytorch_model.bin": b"never fetched"})
    found = resolve(hub.endpoint, tmp_path / "models")
    assert found["error"] == "ArtifactError" and "only as pytorch_model.bin" in found["said"]
    assert not [request for request in hub.requests if "resolve" in request]
