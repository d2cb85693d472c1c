"""Adapt without forgetting what sentences mean: the mean vector of a block stays near the one that it had before.

The masks teach words in their places; what a sentence encoder was trained for is its mean vector, which nothing in them
holds. So the model before, which sees the whole block, says what it was (feature distillation; Li & Hoiem 2016, Learning
without Forgetting, section 3).
"""

from collections.abc import Mapping

import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.objective import Term
from tasks.training.masked_lm.masking import IGNORED
from tasks.training.masked_lm.objective import MaskedLmBatch, MaskedLmObjective


class KeepingObjective(MaskedLmObjective):
    """Masked language modelling, and `weight` * (1 - cosine) of each block's mean vector to that of the model `before`."""

    def __init__(self, masks: MaskedLmObjective, before: MaskedLanguageModel, keep: float) -> None:
        """`masks` is what is learned beside it; `before` is not trained; `keep` is the weight."""
        super().__init__(masks.blocks, masks.masking, masks.vocabulary, masks.optimizer)
        self.before, self.keep = before.eval().requires_grad_(False), keep

    def weight(self, batch: MaskedLmBatch) -> Mapping[str, float]:
        """Masked tokens, and blocks."""
        return {**super().weight(batch), "keep": len(batch.labels)}

    def loss(self, model: MaskedLanguageModel, batch: MaskedLmBatch) -> Mapping[str, Term]:
        """Both terms, from one forward pass of each model."""
        asked = batch.labels != IGNORED
        output = model(batch.input_ids, None, asked, hidden=True)
        with torch.no_grad():
            whole = torch.where(asked, batch.labels, batch.input_ids)
            wanted = self.before.to(whole.device).body(whole).last_hidden_state
        now, then = output.hidden[-1].float().mean(dim=1), wanted.float().mean(dim=1)
        return {
            "masked_lm": Term(cross_entropy(output.logits, batch.labels[asked], reduction="sum")),
            "keep": Term((1 - cosine_similarity(now, then, dim=-1)).sum(), self.keep),
        }
