"""What a student learns in pre-training: the hidden tokens, what its teacher says of them, and the teacher's hidden states."""

from collections.abc import Mapping

import torch
from torch.nn.functional import cross_entropy

from tasks.compression.distillation.language_model.config import TripleLossConfig
from tasks.compression.distillation.losses import cosine_distance, softened_kl
from tasks.models.lm_heads import links_of
from tasks.models.masked_lm import MaskedLanguageModel, MaskedOutput
from tasks.training.loop.objective import OptimizerKind, Term
from tasks.training.masked_lm.blocks import Blocks
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Vocabulary
from tasks.training.masked_lm.objective import MaskedLmBatch, MaskedLmObjective


class DistillLmObjective(MaskedLmObjective):
    """The triple loss of Sanh et al. 2019 (DistilBERT), section 2, over blocks that are masked anew in each pass.

    alpha CE + beta T^2 KL(teacher || student), both at the masked tokens, + gamma (1 - cosine of the last hidden states),
    of every token: blocks have no padding. The teacher reads a batch once for all of them.
    """

    def __init__(
        self,
        blocks: Blocks,
        masking: MaskingConfig,
        vocabulary: Vocabulary,
        config: TripleLossConfig,
        teacher: MaskedLanguageModel,
        optimizer: OptimizerKind = "adamw",
    ) -> None:
        super().__init__(blocks, masking, vocabulary, optimizer)
        self.weights, self.temperature = config.weights, config.temperature
        self.teacher = teacher.eval().requires_grad_(False)

    def weight(self, batch: MaskedLmBatch) -> Mapping[str, float]:
        """Masked tokens; of the cosine, all."""
        masked = int((batch.labels != IGNORED).sum())
        over = {"masked_lm": masked, "kl": masked, "cosine": batch.labels.numel()}
        return {name: over[name] for name in self.weights}

    def loss(self, model: MaskedLanguageModel, batch: MaskedLmBatch) -> Mapping[str, Term]:
        """The terms that count, out of one forward pass of the student and at most one of the teacher."""
        asked, nowhere = batch.labels != IGNORED, torch.zeros_like(batch.labels, dtype=torch.bool)
        hidden = "cosine" in self.weights
        own = model(batch.input_ids, None, asked if self.answers else nowhere, hidden)
        terms = {}
        if "masked_lm" in self.weights:
            terms["masked_lm"] = cross_entropy(own.logits, batch.labels[asked], reduction="sum")
        if self.weights.keys() != {"masked_lm"}:
            told = self._teach(batch.input_ids, asked if "kl" in self.weights else nowhere, hidden)
            if "kl" in self.weights:
                terms["kl"] = softened_kl(own.logits, told.logits, self.temperature)
            if hidden:
                last, given = (output.hidden[-1].flatten(0, 1).float() for output in (own, told))
                terms["cosine"] = cosine_distance(last, given)
        return {name: Term(total, self.weights[name]) for name, total in terms.items()}

    @property
    def answers(self) -> bool:
        """Whether a term looks at the student's logits: without one, its head learns nothing."""
        return bool(self.weights.keys() - {"cosine"})

    def settle(self, student: MaskedLanguageModel) -> None:
        """Leave the head of `student` as it is where no term needs it; the embeddings learn, also where it has them."""
        if self.answers:
            return
        learning = {id(value) for value in student.body.parameters()}
        for link in links_of(student.model):
            for value in link.parameters():
                value.requires_grad_(value.requires_grad and id(value) in learning)

    def _teach(self, input_ids: torch.Tensor, positions: torch.Tensor, hidden: bool) -> MaskedOutput:
        """The teacher's logits at `positions` and hidden states, on the device of the batch."""
        self.teacher.to(input_ids.device)
        with torch.no_grad():
            return self.teacher(input_ids, None, positions, hidden)
