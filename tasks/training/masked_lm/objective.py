"""Masked language modelling (Devlin et al. 2019, BERT, section 3.1): find the hidden tokens of a block again."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.objective import Draw, Group, Objective, OptimizerKind, Term
from tasks.training.masked_lm.blocks import Blocks
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Vocabulary, mask_rows


class MaskedLmBatch(NamedTuple):
    """`input_ids`, masked, and `labels`, IGNORED where nothing is asked: int64 [batch, length], without padding."""

    input_ids: torch.Tensor
    labels: torch.Tensor


class MaskedLmObjective(Objective[MaskedLanguageModel, MaskedLmBatch]):
    """Cross-entropy of the masked tokens, each counting alike, over blocks that are masked anew in each pass."""

    def __init__(
        self,
        blocks: Blocks,
        masking: MaskingConfig,
        vocabulary: Vocabulary,
        optimizer: OptimizerKind = "adamw",
    ) -> None:
        self.blocks, self.masking, self.vocabulary, self.optimizer = blocks, masking, vocabulary, optimizer

    def batch(self, rows: np.ndarray, draw: Draw) -> MaskedLmBatch:
        """Blocks of these numbers, masked."""
        ids, word_starts = self.blocks[rows]
        masked = mask_rows([*ids], [*word_starts], rows, draw, self.masking, self.vocabulary)
        input_ids, labels = (torch.from_numpy(np.stack(part)) for part in zip(*masked, strict=True))
        return MaskedLmBatch(input_ids, labels)

    def weight(self, batch: MaskedLmBatch) -> Mapping[str, float]:
        """Masked tokens."""
        return {"masked_lm": int((batch.labels != IGNORED).sum())}

    def loss(self, model: MaskedLanguageModel, batch: MaskedLmBatch) -> Mapping[str, Term]:
        """Negative log likelihood of the masked tokens."""
        asked = batch.labels != IGNORED
        logits = model(batch.input_ids, None, asked).logits
        return {"masked_lm": Term(cross_entropy(logits, batch.labels[asked], reduction="sum"))}

    def groups(self, model: MaskedLanguageModel) -> Sequence[Group]:
        """Matrices decay, embeddings too; Muon, where it is asked for, moves those of the layers alone."""
        wanted = [value for value in model.parameters() if value.requires_grad]
        layers = layer_matrices(model.body) if self.optimizer == "muon" else set()
        matrices = [value for value in wanted if value.ndim > 1]
        return (
            Group(
                "layers' matrices",
                [value for value in matrices if id(value) in layers],
                decay=True,
                optimizer="muon",
            ),
            Group("matrices", [value for value in matrices if id(value) not in layers], decay=True),
            Group("vectors", [value for value in wanted if value.ndim < 2]),
        )

    def save_memory(self, model: MaskedLanguageModel) -> None:
        """By transformers' own gradient checkpointing of the layers. Raises ConfigError for a model without."""
        if not model.model.supports_gradient_checkpointing:
            super().save_memory(model)
        model.model.activation_checkpointing_enable()


def layer_matrices(body: nn.Module) -> set[int]:
    """The matrices (by `id`) of an encoder's layers: of what stands in a list of like modules, without tables of embeddings."""
    return {
        id(module.weight)
        for layers in body.modules()
        if isinstance(layers, nn.ModuleList)
        for module in layers.modules()
        if isinstance(module, nn.Linear)
    }
