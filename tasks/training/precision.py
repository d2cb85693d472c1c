"""In which precision the forward pass computes; weights, gradients and optimizer stay in float32."""

import torch

from tasks.training.config import MixedPrecision

BF16_FLAGS = ("avx512_bf16", "amx_bf16")  # without one of these a CPU emulates bfloat16, slower than float32


def computes_in_bf16(device: torch.device) -> bool:
    """Whether `device` has bfloat16 arithmetic of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capable = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capable.get(flag, False) for flag in BF16_FLAGS)


def autocast(kind: MixedPrecision, device: torch.device) -> torch.autocast:
    """The context of a forward pass."""
    wanted = kind == "bf16" or (kind == "auto" and computes_in_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
