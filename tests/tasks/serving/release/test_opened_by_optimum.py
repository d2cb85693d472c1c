"""Optimum, in an environment of its own: it holds an older transformers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.tasks.serving.release.conftest import Opened

# The torch of this environment, in whichever build pip finds here: a range would choose another one.
PACKAGES = [
    f"torch=={version('torch').partition('+')[0]}",
    f"onnxruntime=={version('onnxruntime')}",
    "optimum-onnx==0.1.0",
]
ANSWER = """
import json, sys
answers = [classify(text)[0] for text in json.load(sys.stdin)]
json.dump([(answer["label"], answer["score"]) for answer in answers], open(sys.argv[1], "w"))
"""


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.timeout(1800)
def test_optimum(opened: Opened, documented: Callable[[str], str], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-qq", "--no-cache-dir", *PACKAGES], check=True)
    (tmp_path / "opens.py").write_text(documented("optimum") + ANSWER)
    subprocess.run(
        [python, tmp_path / "opens.py", tmp_path / "answers.json"],
        cwd=opened.folder, env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}, input=json.dumps(opened.texts),
        text=True, check=True,
    )  # fmt: skip
    given = json.loads((tmp_path / "answers.json").read_text())
    opened.assert_same([(label, score) for label, score in given], score=1e-6)
