"""On which device a model answers: the one that accelerate chooses, as for training.

accelerate obeys its own variables: ACCELERATE_USE_CPU=true keeps everything on the CPU. ONNX Runtime, OpenVINO and
scikit-learn answer on the CPU, and so does PyTorch's int8, which has kernels for nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import nn


def accelerated_device() -> torch.device:
    """The device of training and inference in this process."""
    # Asked as the training loop asks: whoever asks first settles it for the process.
    return Accelerator(mixed_precision="no").device


@contextmanager
def on_device(model: nn.Module) -> Iterator[torch.device]:
    """`model` on accelerate's device, which is given for its batches; afterwards it is back where it came from.

    So what is done with its weights in between (a probe, a cut, an export) finds them where it left them. A model that is
    being trained is there already and stays.
    """
    came_from, device = next(model.parameters()).device, accelerated_device()
    if came_from != device:
        model.to(device)
    try:
        yield device
    finally:
        if came_from != device:
            model.to(came_from)
