"""While a model trains on a CPU, memory that was freed stays in the process for the next step.

glibc maps each large block anew from the kernel, which clears it page by page when it is first written: a step of a language
model allocates its logits (75 MB for 640 hidden tokens and BERT's vocabulary) several times over. Held, the same step takes
0.48 s and not 0.60 s, and the process some 400 MiB more; numbers and bytes are the same.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# mallopt(3): what is asked for, while a model trains and as glibc begins with.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
HELD = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 * 2**20}
GLIBCS = {M_MMAP_MAX: 65_536, M_TRIM_THRESHOLD: 128 * 2**10, M_TOP_PAD: 128 * 2**10}
# Who sets one of these for the process has decided.
THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
ASKED = THRESHOLDS | {"MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"}


@contextmanager
def held_memory(device: torch.device) -> Iterator[None]:
    """Hold freed memory inside, and give it back after.

    Nothing happens on another device, with another C library than glibc, or where the environment has a variable of ASKED:
    `MALLOC_MMAP_MAX_=65536` keeps glibc's own way.
    """
    if device.type != "cpu" or platform.libc_ver()[0] != "glibc" or ASKED & os.environ.keys():
        yield
        return
    libc = ctypes.CDLL(None)
    _set(libc, HELD)
    try:
        yield
    finally:
        _set(libc, GLIBCS)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        libc.mallopt(option, value)
