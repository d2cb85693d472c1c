"""`make` installs the parts of the lock that a machine needs."""

from pathlib import Path

import pytest

from tests.security.tiny_wheels import installed, make, write_project, write_wheel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each makes a virtual environment


def lay(folder: Path) -> dict[str, dict[str, str]]:
    """A project with both builds of torch; the parts of its lock."""
    wheels = folder / "wheels"
    parts = {
        "build": {"mortar": write_wheel(wheels, "mortar", "")},
        "runtime": {"stone": write_wheel(wheels, "stone", "")},
        "cpu": {"torch": write_wheel(wheels, "torch", "BUILD = 'cpu'", "1.0+cpu")},
        "cuda": {
            "torch": write_wheel(wheels, "torch", "BUILD = 'cuda'"),
            "nvidia-stone": write_wheel(wheels, "nvidia-stone", ""),
        },
        "dev": {"chisel": write_wheel(wheels, "chisel", "")},
    }
    write_project(folder / "project", parts)
    return parts


def test_torch_for_the_cpu_is_taken_where_pip_finds_it(tmp_path: Path) -> None:
    lay(tmp_path)
    made = make(tmp_path / "project", tmp_path / "wheels")
    assert made.returncode == 0, made.stderr
    assert installed(tmp_path / "project") == {"mortar", "stone", "torch"}
    assert (tmp_path / "project" / ".venv" / ".installed").exists()


def test_torch_with_cuda_and_its_libraries_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    lay(tmp_path)
    cpu = tmp_path / "wheels" / "torch-1.0+cpu-py3-none-any.whl"
    # Another file of that name is no reason to take another build: it is said.
    write_wheel(tmp_path / "wheels", "torch", "BUILD = 'hers'", "1.0+cpu")
    refused = make(tmp_path / "project", tmp_path / "wheels")
    assert refused.returncode != 0 and "DO NOT MATCH THE HASHES" in refused.stderr
    assert installed(tmp_path / "project") == {"mortar", "stone"}
    cpu.unlink()
    made = make(tmp_path / "project", tmp_path / "wheels")
    assert made.returncode == 0, made.stderr
    assert installed(tmp_path / "project") == {"mortar", "stone", "torch", "nvidia_stone"}
