"""What the figures were measured on: processor, its vector extensions, cores."""

import os

from cpuinfo import get_cpu_info

# Extensions that decide how fast int8, bf16 and fp32 products are. NEON's and SVE's are ARM's.
FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
)


def cpu_facts() -> tuple[str, tuple[str, ...]]:
    """Name of the processor, and those of its flags that matter here. Takes about a second."""
    facts = get_cpu_info()
    # Kernels and tools spell these flags with and without underscores.
    there = {flag.replace("_", "") for flag in facts.get("flags", [])}
    return facts.get("brand_raw", "unknown"), tuple(flag for flag in FLAGS if flag.replace("_", "") in there)


def usable_cores() -> int:
    """Cores that this process may use, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
