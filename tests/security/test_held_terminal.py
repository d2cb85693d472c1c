"""What the review looked for and did not find: a command line of which an escape sequence came back as it was."""

import os
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.security.test_terminal import LINK, steering
from tests.typed import STILLHOUSE


def test_an_artifact_that_is_none_is_named_as_text(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    command = [STILLHOUSE, "artifacts", "lineage", LINK]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 2
    said = done.stderr.decode()
    assert said and steering(said) == set()
