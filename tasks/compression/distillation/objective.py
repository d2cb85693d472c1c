"""What a student learns: the labels, the teacher's logits and vectors, and, where asked, what lies inside the teacher."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch

from tasks.compression.distillation.config import LossConfig
from tasks.compression.distillation.intermediate_losses import IntermediateTerms
from tasks.compression.distillation.losses import UNLABELLED, cosine_distance, cross_entropy, softened_kl
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.models.model import SentenceClassifier
from tasks.training.loop.objective import Draw, Term
from tasks.training.text_objective import TextObjective, TextRows


class DistillationBatch(NamedTuple):
    """`input_ids`, `attention_mask` int64 [batch, sequence]; of each row its label int64 [batch] (-1: none), and the teacher's
    logits float [batch, labels] and vectors float [batch, hidden].
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    logits: torch.Tensor
    vectors: torch.Tensor


def labelled(batch: DistillationBatch) -> torch.Tensor:
    """How many rows have a label []; int64."""
    return (batch.labels != UNLABELLED).sum()


class TaughtRows(TextObjective[DistillationBatch]):
    """Rows with the teacher's answers."""

    def __init__(self, texts: TextRows, outputs: TeacherOutputs) -> None:
        super().__init__(texts)
        self.outputs = outputs

    def batch(self, rows: np.ndarray, draw: Draw) -> DistillationBatch:
        """Padded ids and what the teacher says of them."""
        given = (torch.from_numpy(np.array(part[rows])) for part in
                 (self.outputs.labels, self.outputs.logits, self.outputs.vectors))  # fmt: skip
        return DistillationBatch(*self.texts.padded(rows), *given)


class DistillationObjective(TaughtRows):
    """alpha CE + (1 - alpha) T^2 KL + beta (1 - cosine), and the terms of `inner`."""

    def __init__(
        self,
        texts: TextRows,
        outputs: TeacherOutputs,
        config: LossConfig,
        inner: IntermediateTerms | None = None,
    ) -> None:
        super().__init__(texts, outputs)
        self.config, self.inner = config, inner

    def weight(self, batch: DistillationBatch) -> Mapping[str, float]:
        """Rows, those without a label too; of the terms inside, tokens."""
        rows = len(batch.labels)
        inside = self.inner.weight(batch.attention_mask) if self.inner else {}
        return {"cross_entropy": rows, "kl": rows, "cosine": rows, **inside}

    def loss(self, model: SentenceClassifier, batch: DistillationBatch) -> Mapping[str, Term]:
        """All terms, out of one forward pass of the student."""
        config = self.config
        with self.inner.watching() if self.inner else nullcontext() as ours:
            answer = model(batch.input_ids, batch.attention_mask)
        # To float32 for each: under autocast their gradients are rounded one by one, as in every student so far.
        hard = cross_entropy(answer.logits.float(), batch.labels)
        soft = softened_kl(answer.logits.float(), batch.logits, config.temperature)
        terms = {
            "cross_entropy": Term(hard, config.alpha, labelled(batch)),
            "kl": Term(soft, 1 - config.alpha),
            "cosine": Term(cosine_distance(answer.vectors.float(), batch.vectors), config.beta),
        }
        if self.inner is None or ours is None:
            return terms
        return {**terms, **self.inner.terms(ours, batch.input_ids, batch.attention_mask)}
