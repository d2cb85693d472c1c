"""What this machine computes on: the facts that decide how fast something is, and in which precision it is computed.

Read from the system each time a process starts, never from a file under home, which may be a copy of another machine's.
"""

import importlib.metadata
import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

CPUINFO = Path("/proc/cpuinfo")
NVIDIA = Path("/proc/driver/nvidia/version")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
# Extensions that decide how fast int8, bf16 and fp32 products are; NEON's and SVE's are ARM's. A kernel lists many more,
# and other ones after each upgrade.
VECTOR_FLAGS = frozenset({"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile",
                          "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"})  # fmt: skip
NAMES = ("model name", "cpu family", "model", "CPU implementer", "CPU part")
# What runs a model: another version of these has another speed.
RUNTIMES = (
    "onnxruntime",
    "openvino",
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scikit-learn",
    "fasttext-numpy2",
)
ABSENT = "not installed"


@lru_cache(maxsize=1)
def machine_facts() -> JsonValue:
    """Processor, its vector extensions, usable cores and versions of the runtimes, as plain JSON."""
    processor = _processor()
    return {
        "cpu": " ".join(processor[name] for name in NAMES if name in processor) or platform.processor(),
        "flags": [flag for flag in sorted(VECTOR_FLAGS) if flag in _flags(processor)],
        "cores": usable_cores(),
        "runtimes": {"python": platform.python_version(), **{name: version_of(name) for name in RUNTIMES}},
    }


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def precision_of_auto() -> Literal["auto", "no"]:
    """What `mixed_precision: auto` counts as: itself where it computes in bfloat16, `no` where it does not.

    The rule of `tasks.training.precision`, without importing torch unless there is a GPU to ask for.
    """
    if NVIDIA.exists():
        import torch

        if torch.cuda.is_available():
            return "auto" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "auto" if BF16_FLAGS & _flags(_processor()) else "no"


def _processor() -> dict[str, str]:
    """The first processor of /proc/cpuinfo, by the names of its lines; nothing where there is no such file."""
    try:
        first = CPUINFO.read_text(errors="replace").split("\n\n")[0]
    except FileNotFoundError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _flags(processor: dict[str, str]) -> set[str]:
    return set((processor.get("flags") or processor.get("Features") or "").split())


def version_of(name: str) -> str:
    """The version of a package that is installed here, or that it is not."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ABSENT
