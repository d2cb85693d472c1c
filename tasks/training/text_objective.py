"""Objectives over texts with a `SentenceClassifier`: rows of token ids, padded together, and what a labelled row costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tasks.formats.token_shards import TokenShards
from tasks.models.batching import pad
from tasks.models.model import SentenceClassifier
from tasks.training.config import LoopConfig
from tasks.training.loop.checkpoint import Progress
from tasks.training.loop.loop import Evaluation, Observe, fit
from tasks.training.loop.objective import Draw, Group, Objective, OptimizerKind, Term
from tasks.training.loop.sampler import LengthGrouped
from tasks.training.milestones import Milestones

Batch = TypeVar("Batch")


class TextRows(NamedTuple):
    """Token ids of each row, the id that pads them, the head's rate over the encoder's, and what moves the layers' matrices."""

    ids: TokenShards
    pad_id: int
    head_factor: float = 1.0
    optimizer: OptimizerKind = "adamw"

    @classmethod
    def asked(cls, ids: TokenShards, pad_id: int, config: LoopConfig) -> Self:
        """As a training's config has it."""
        return cls(ids, pad_id, config.head_rate_factor, config.optimizer)

    def padded(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask of some rows, int64 [batch, longest row]."""
        return pad([self.ids[row] for row in rows], self.pad_id)


class TextObjective(Objective[SentenceClassifier, Batch]):
    """What all of them share: the rows, and that the head learns at a rate of its own, without decay.

    The head starts at the solution of a logistic regression, which has its own penalty.
    """

    def __init__(self, texts: TextRows) -> None:
        self.texts = texts

    def groups(self, model: SentenceClassifier) -> Sequence[Group]:
        """Matrices decay; vectors and the head do not."""
        head = {id(value) for value in model.head.parameters()}
        embeddings = {
            id(value)
            for module in model.body.modules()
            if isinstance(module, nn.Embedding)
            for value in module.parameters()
        }
        rest = [value for value in model.parameters() if value.requires_grad and id(value) not in head]
        matrices = [value for value in rest if value.ndim > 1]
        if self.texts.optimizer == "muon":
            hidden = [value for value in matrices if value.ndim == 2 and id(value) not in embeddings]
            moved = {id(value) for value in hidden}
            matrices = [value for value in matrices if id(value) not in moved]
        else:
            hidden = []
        return (
            Group("hidden matrices", hidden, decay=True, optimizer="muon"),
            Group("matrices", matrices, decay=True),
            Group("vectors", [value for value in rest if value.ndim < 2]),
            Group(
                "head",
                [value for value in model.head.parameters() if value.requires_grad],
                self.texts.head_factor,
            ),
        )

    def save_memory(self, model: SentenceClassifier) -> None:
        """By transformers' own activation checkpointing of the encoder's layers."""
        if not model.body.supports_gradient_checkpointing:
            super().save_memory(model)
        model.body.activation_checkpointing_enable()


def fit_texts(
    model: SentenceClassifier,
    objective: TextObjective[Batch],
    config: LoopConfig,
    evaluation: Evaluation[SentenceClassifier],
    work_dir: Path,
    observe: Observe,
    milestones: Milestones | None = None,
) -> Progress:
    """`fit` over the objective's own texts, those of like length together. Raises DataError when there are none."""
    lengths = objective.texts.ids.lengths
    sampler = LengthGrouped(lengths, config.batch_size, config.seed)
    interval = config.evaluate_every or sampler.steps_per_epoch
    keep = milestones.keeper(work_dir, interval) if milestones else None
    return fit(model, objective, sampler, config, evaluation, work_dir, observe, int(lengths.sum()), keep)


class LabelledBatch(NamedTuple):
    """`input_ids`, `attention_mask` int64 [batch, sequence]; `labels` int64 [batch]."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor


class LabelledRows(TextObjective[LabelledBatch]):
    """Cross-entropy of each row's label."""

    def __init__(self, texts: TextRows, labels: np.ndarray) -> None:
        """`labels` int64 [rows]."""
        super().__init__(texts)
        self.labels = torch.from_numpy(labels)

    def batch(self, rows: np.ndarray, draw: Draw) -> LabelledBatch:
        """Padded ids and labels."""
        return LabelledBatch(*self.texts.padded(rows), self.labels[torch.from_numpy(rows)])

    def weight(self, batch: LabelledBatch) -> Mapping[str, float]:
        """Rows."""
        return {"cross_entropy": len(batch.labels)}

    def loss(self, model: SentenceClassifier, batch: LabelledBatch) -> Mapping[str, Term]:
        """Negative log likelihood of the labels."""
        logits = model(batch.input_ids, batch.attention_mask).logits.float()
        return {"cross_entropy": Term(cross_entropy(logits, batch.labels, reduction="sum"))}
