"""The Python distributions of an environment as their own RECORDs list them, and one digest for all of it.

Left out is what the installer wrote itself: scripts outside of the packages (their first line is this machine's path),
bytecode, and notes such as INSTALLER. The same versions so have the same digest on any machine.
"""

import base64
import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from infra.warehouse.licences import license_key

INSTALLERS_OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


@dataclass(frozen=True)
class InstalledFile:
    """A line of a RECORD: the file's path in the distribution and where it lies, and the sha256 it should have."""

    path: str
    place: Path
    sha256: str


@dataclass(frozen=True)
class Installed:
    """One distribution."""

    name: str
    version: str
    license: str
    files: tuple[InstalledFile, ...]


def installed_distributions(search_path: Sequence[str] | None = None) -> tuple[Installed, ...]:
    """Every distribution with a RECORD, by name; of two with one name the one that an import would find.

    `search_path` is a list of folders in place of `sys.path`.
    """
    named: dict[str, Installed] = {}
    found = distributions() if search_path is None else distributions(path=list(search_path))
    for distribution in found:
        made = _read(distribution)
        if made is not None:
            named.setdefault(re.sub(r"[-_.]+", "-", made.name).lower(), made)
    return tuple(named[key] for key in sorted(named))


def installed_digest(installed: Sequence[Installed]) -> str:
    """sha256 over names, versions, licences, and the paths and digests of all files."""
    digest = hashlib.sha256()
    for one in installed:
        digest.update(f"{one.name}\0{one.version}\0{one.license}\n".encode())
        for file in one.files:
            digest.update(f"{file.path}\0{file.sha256}\n".encode())
    return digest.hexdigest()


def _read(distribution: Distribution) -> Installed | None:
    record, name = distribution.read_text("RECORD"), distribution.metadata["Name"]
    if record is None or not name:
        return None
    files = sorted(_files(distribution, record), key=lambda file: file.path)
    license = license_key(distribution.metadata)  # type: ignore[arg-type]  # An email.message.Message, whatever its protocol says.
    return Installed(name, distribution.version, license, tuple(files))


def _files(distribution: Distribution, record: str) -> Iterator[InstalledFile]:
    for line in csv.reader(record.splitlines()):
        path, _, digest = line[0], *(line[1] if len(line) > 1 else "").partition("=")[1:]
        pure = PurePosixPath(path)
        own = pure.name in INSTALLERS_OWN and pure.parent.name.endswith(".dist-info")
        if digest and not own and ".." not in pure.parts and not pure.is_absolute() and pure.suffix != ".pyc":
            place = Path(str(distribution.locate_file(path)))
            yield InstalledFile(path, place, base64.urlsafe_b64decode(f"{digest}==").hex())
