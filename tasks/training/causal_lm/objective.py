"""Causal language modelling (Radford et al. 2018): say the next token at each position of a window."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from tasks.formats.token_blocks import Windows
from tasks.models.gpt.cost import IGNORED
from tasks.models.gpt.model import Gpt
from tasks.training.loop.objective import Draw, Group, Objective, OptimizerKind, Term


class CausalLmBatch(NamedTuple):
    """`input_ids` and `labels`, the token behind each, IGNORED where none is asked: int64 [batch, length].

    `documents` int64 [batch, length] says which document each position is of; [batch, 0] where all are one.
    """

    input_ids: torch.Tensor
    labels: torch.Tensor
    documents: torch.Tensor


class CausalLmObjective(Objective[Gpt, CausalLmBatch]):
    """Cross-entropy of the next tokens, each counting alike. What says a file's quality is read and never asked for."""

    def __init__(
        self,
        windows: Windows,
        unasked: np.ndarray,
        within_documents: bool = False,
        optimizer: OptimizerKind = "adamw",
    ) -> None:
        """`unasked` int64 [n] are ids that the model need not say."""
        self.windows, self.unasked, self.optimizer = windows, unasked, optimizer
        self.within_documents = within_documents

    def batch(self, rows: np.ndarray, draw: Draw) -> CausalLmBatch:
        """Windows of these numbers; nothing is drawn."""
        ids = self.windows[rows]
        documents = self.windows.documents(rows)[:, :-1] if self.within_documents else ids[:, :0]
        return CausalLmBatch(*map(torch.from_numpy, (*asked_of(ids, self.unasked), documents)))

    def weight(self, batch: CausalLmBatch) -> Mapping[str, float]:
        """Tokens to say."""
        return {"causal_lm": int((batch.labels != IGNORED).sum())}

    def loss(self, model: Gpt, batch: CausalLmBatch) -> Mapping[str, Term]:
        """Negative log likelihood of the next tokens."""
        documents = batch.documents if batch.documents.shape[1] else None
        return {"causal_lm": Term(model(batch.input_ids, batch.labels, documents))}

    def groups(self, model: Gpt) -> Sequence[Group]:
        """Matrices decay, embeddings too; Muon, where it is asked for, moves those of the layers alone."""
        layers = {id(value) for value in model.model.transformer.h.parameters() if value.ndim == 2}
        muon = layers if self.optimizer == "muon" else set()
        matrices = [value for value in model.parameters() if value.ndim > 1]
        moved = [value for value in matrices if id(value) in muon]
        return (
            Group("layers' matrices", moved, decay=True, optimizer="muon"),
            Group("matrices", [value for value in matrices if id(value) not in muon], decay=True),
            Group("vectors", [value for value in model.parameters() if value.ndim < 2]),
        )

    def save_memory(self, model: Gpt) -> None:
        """Each layer is computed again in the backward pass."""
        model.computes_again = True


def asked_of(ids: np.ndarray, unasked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is read and what is to be said of windows int64 [n, length + 1]: both int64 [n, length]."""
    labels = ids[:, 1:].copy()
    labels[np.isin(labels, unasked)] = IGNORED
    return ids[:, :-1].copy(), labels
