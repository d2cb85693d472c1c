"""A project with our Makefile whose few packages lie in a folder beside it: installed by `make`, without a network."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile, ZipInfo

ROOT = Path(__file__).parents[2]
VERSIONS = {"cpu": "1.0+cpu"}  # of that part's packages; 1.0 of the others'
# What builds the project, in place of setuptools: a wheel that says where the code is.
BACKEND = """
from pathlib import Path
from zipfile import ZipFile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "stillhouse-1.0-py3-none-any.whl"
    with ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("stillhouse.pth", str(Path.cwd()))
        info = "stillhouse-1.0.dist-info"
        requires = "".join(f"Requires-Dist: {one}\\n" for one in REQUIRES)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: stillhouse\\nVersion: 1.0\\n{requires}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def write_wheel(folder: Path, name: str, code: str, version: str = "1.0") -> str:
    """A wheel of one module in `folder`; its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    path, info = folder / f"{module}-{version}-py3-none-any.whl", f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(ZipInfo(file), content)  # without the time: the same bytes each time
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_project(folder: Path, parts: dict[str, dict[str, str]]) -> None:
    """A project that requires each package (name: sha256) of each part, version 1.0, as `make` finds it in our tree."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    lock = [
        line
        for part, packages in parts.items()
        for line in (
            f"# == {part}: a part",
            *(
                f"{name}=={VERSIONS.get(part, '1.0')} \\\n    --hash=sha256:{sha256}"
                for name, sha256 in packages.items()
            ),
        )
    ]
    (folder / "requirements.lock").write_text("\n".join(lock) + "\n")
    names = list(parts["runtime"])
    (folder / "constraints.txt").write_text(
        "".join(f"{name}==1.0\n" for name in names)
    )  # of earlier versions
    (folder / "backend.py").write_text(f"REQUIRES = {names}\n{BACKEND}")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "stillhouse"\nversion = "1.0"\ndynamic = ["dependencies"]\n'
    )


def make(folder: Path, wheels: Path) -> "subprocess.CompletedProcess[str]":
    """`make .venv/.installed` there, with nothing to be had but `wheels`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", ".venv/.installed"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=450, check=False,
    )  # fmt: skip


def installed(folder: Path) -> set[str]:
    """Names of the modules that were installed there, and of no others that these tests make."""
    places = folder.glob(".venv/lib/python*/site-packages/*.py")
    return {path.stem for path in places} - {"_virtualenv"}
