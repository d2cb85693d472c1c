"""How much of an encoder's matrices is zero."""

import numpy as np
from transformers import PreTrainedModel

from tasks.models.architecture import architecture_of


def weights_of(body: PreTrainedModel) -> dict[str, np.ndarray]:
    """The layers' matrices, float32 [outputs, inputs] each, by name."""
    return {
        name: matrix.weight.detach().cpu().numpy() for name, matrix in architecture_of(body).matrices_of(body)
    }


def sparsity_of(body: PreTrainedModel) -> float:
    """Share of zeros over all matrices of the layers."""
    weights = weights_of(body).values()
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.size for weight in weights)
