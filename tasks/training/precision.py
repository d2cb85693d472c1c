"""In which precision the forward pass computes; weights, gradients and optimizer stay in float32."""

from functools import cache

import cpuinfo
import torch

from tasks.training.config import MixedPrecision

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}  # without these a CPU emulates bfloat16, slower than float32


@cache  # looking at the CPU takes a second
def computes_in_bf16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 arithmetic of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and not BF16_FLAGS.isdisjoint(cpuinfo.get_cpu_info().get("flags", []))


def autocast(kind: MixedPrecision, device: torch.device) -> torch.autocast:
    """The context of a forward pass."""
    wanted = kind == "bf16" or (kind == "auto" and computes_in_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
