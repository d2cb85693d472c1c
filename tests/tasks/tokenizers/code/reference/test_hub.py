"""The reference from a Hub that speaks the real protocol, by the real client; what was fetched once needs no network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fakes.hub import hub_server

# HF_ENDPOINT is read when the client is imported, so the look-ups are in a process of their own.
RESOLVE = """
import json, sys
from pathlib import Path
from infra.errors import HubError
from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.resolve import resolve_reference
for source in sys.argv[2:]:
    try:
        folder = resolve_reference(ReferenceTokenizerConfig(source=source), Path(sys.argv[1]))
        print(json.dumps([path.name for path in folder.iterdir()]))
    except HubError as error:
        print(json.dumps(str(error)))
"""


def resolved(endpoint: str, downloads: Path, *sources: str) -> list[object]:
    surroundings = os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
                                 "HF_HOME": str(downloads / "hf")}  # fmt: skip
    command = [sys.executable, "-c", RESOLVE, str(downloads), *sources]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_its_tokenizer_alone_is_fetched_and_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with hub_server() as server:
        server.publish("org/tokenizer", folder)
        found, missing = resolved(server.endpoint, tmp_path, "org/tokenizer", "org/nothing")
    assert found == ["tokenizer.json"]
    assert isinstance(missing, str) and missing.startswith(
        "tokenizer.json of org/nothing at main cannot be fetched"
    )
