"""How fast a training reads, and what share of the machine it uses: beside what the loop tells of its steps."""

import time
from collections.abc import Mapping
from functools import cache

import torch
from accelerate import PartialState

from tasks.models.device import accelerated_device
from tasks.models.gpt.model import Gpt
from tasks.training.loop.loop import Observe
from tasks.training.precision import computes_in_bf16

SECONDS = 0.3
# Side of the matrices, and products asked for at once: of a GPU many large ones, or their start would count.
CPU_PRODUCTS, GPU_PRODUCTS = (2_048, 1), (8_192, 8)


class Speed:
    """An observer that adds tokens a second of all processes, and utilisation of one's device, to what it is told."""

    def __init__(self, model: Gpt, log: Observe) -> None:
        self.model, self.log = model, log

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of a training's steps have rows a second; those of an evaluation have none and pass as they are."""
        told = dict(metrics)
        if rows := told.get("rows_per_second"):
            read = rows * self.model.context  # by all processes together, each of which has a device
            most = PartialState().num_processes * product_speed(accelerated_device())
            told |= {"tokens_per_second": read, "utilisation": read * flops_per_token(self.model) / most}
        self.log(told, step)


def flops_per_token(model: Gpt) -> float:
    """Operations of the forward and the backward pass of one token: 6 for each parameter of a matrix, and those of attention.

    (Chowdhery et al. 2022, PaLM, appendix B; the embeddings are looked up, their product with the vocabulary counts.)
    """
    config = model.model.config
    matrices = model.parameter_count - int(model.model.transformer.wpe.weight.numel())
    return 6.0 * matrices + 12.0 * config.n_layer * config.n_embd * config.n_positions


@cache
def product_speed(device: torch.device) -> float:
    """Operations a second of products of square matrices on this device: what is to be reached, in practice.

    Measured once in a process; in bfloat16 where it computes in it. Makers' figures are of other conditions, and of a CPU there
    is none.
    """
    dtype = torch.bfloat16 if computes_in_bf16(device) else torch.float32
    side, at_once = CPU_PRODUCTS if device.type == "cpu" else GPU_PRODUCTS
    matrix = torch.ones(side, side, dtype=dtype, device=device)
    matrix @ matrix
    _wait(device)
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < SECONDS:
        for _ in range(at_once):
            matrix @ matrix
        _wait(device)
        done += at_once
    return 2.0 * side**3 * done / passed


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
