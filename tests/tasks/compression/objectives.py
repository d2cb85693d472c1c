"""Every objective, tiny: fifteen rows of unequal length or weight, and a model without dropout."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from tasks.compression.distillation.config import IntermediateLossConfig, LossConfig
from tasks.compression.distillation.embedding_bag import BagObjective
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.distillation.intermediate_losses import IntermediateTerms
from tasks.compression.distillation.language_model.config import TripleLossConfig
from tasks.compression.distillation.language_model.objective import DistillLmObjective
from tasks.compression.distillation.objective import DistillationObjective
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.masks import Masks
from tasks.compression.pruning.schedule import plan
from tasks.compression.pruning.train import PrunedObjective
from tasks.compression.quantization.self_distillation import OwnAnswers
from tasks.formats.token_shards import TokenShards
from tasks.models.dropout import with_dropout
from tasks.models.embedding_bag import BagOfTokensConfig
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.models.model import SentenceClassifier
from tasks.training.loop.objective import Objective, Term
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.objective import MaskedLmBatch, MaskedLmObjective
from tasks.training.text_objective import LabelledRows, TextRows
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config
from tests.tasks.training.masked_lm.toy import VOCABULARY_IDS, random_blocks, tiny_model

ROWS, LABELS = 15, 3


class Task(NamedTuple):
    """A model, and what it learns."""

    model: nn.Module
    objective: Objective

    @property
    def sampler(self) -> Shuffled:
        """One step, of all rows."""
        return Shuffled(ROWS, ROWS, 0)


def random_rows() -> TextRows:
    """One to fourteen words each."""
    random = np.random.default_rng(0)
    ids = [[2, *random.integers(5, len(VOCABULARY), size=1 + i % 14).tolist(), 3] for i in range(ROWS)]
    return TextRows(TokenShards.of(ids), 0)


def random_outputs() -> TeacherOutputs:
    """Answers of a teacher; every third row has no label."""
    random = np.random.default_rng(1)
    labels = np.where(np.arange(ROWS) % 3, random.integers(LABELS, size=ROWS), -1)
    logits, vectors = random.normal(size=(ROWS, LABELS)), random.normal(size=(ROWS, 32))
    return TeacherOutputs(["text"] * ROWS, labels, vectors.astype(np.float32), logits.astype(np.float32))


def model_of(layers: int = 1) -> SentenceClassifier:
    """With weights that depend on nothing but the shape."""
    torch.manual_seed(layers)
    config = tiny_config(num_hidden_layers=layers, initializer_range=0.2)
    return with_dropout(SentenceClassifier.from_config(config, LABELS), 0.0)


def labels() -> Task:
    """What the teacher learns."""
    return Task(model_of(), LabelledRows(random_rows(), np.arange(ROWS) % LABELS))


def distillation() -> Task:
    """What the student learns, with every term there is."""
    student, teacher = model_of(), model_of(2).eval()
    config = IntermediateLossConfig(relations=1.0, relation_heads=4, hidden=1.0)
    inner = IntermediateTerms(config, student, teacher, torch.arange(len(VOCABULARY)))
    objective = DistillationObjective(random_rows(), random_outputs(), LossConfig(alpha=0.3), inner)
    return Task(student, objective)


def bag() -> Task:
    """What the embedding bag learns."""
    torch.manual_seed(0)
    shape = BagOfTokensConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, pairs=16, max_position_embeddings=64
    )
    objective = BagObjective(random_rows(), random_outputs(), EmbeddingBagConfig(alpha=0.3))
    return Task(SentenceClassifier.from_config(shape, LABELS), objective)


def pruned() -> Task:
    """Pruning by learned scores, whose penalty is of the model and not of rows."""
    model, config = model_of(), PruningConfig(method="soft_movement", penalty=10.0)
    masks = Masks(model, config, plan(0.0, 0.5, 4, 0.0, 0.0, 1))
    inner = DistillationObjective(random_rows(), random_outputs(), LossConfig())
    return Task(model, PrunedObjective(inner, masks, config.score_rate_factor))


def own_answers() -> Task:
    """What training for int8 learns."""
    return Task(model_of(), OwnAnswers(random_rows(), random_outputs().logits))


class Shown(MaskedLmObjective):
    """Keeps what the model was shown, and asked for."""

    def __init__(self) -> None:
        masking = MaskingConfig(kind="whole_word", mask_share=0.8, random_share=0.1)
        super().__init__(random_blocks(ROWS), masking, VOCABULARY_IDS)
        self.batches: list[MaskedLmBatch] = []

    def loss(self, model: MaskedLanguageModel, batch: MaskedLmBatch) -> Mapping[str, Term]:
        self.batches.append(batch)
        return super().loss(model, batch)


def masked_lm() -> Task:
    """What a masked language model learns; masks are the rows' own."""
    return Task(tiny_model(initializer_range=0.2), Shown())


def distilled_lm() -> Task:
    """What a student learns in pre-training, with all three terms; the cosine's weight is not that of the others."""
    blocks, loss = random_blocks(ROWS), TripleLossConfig()
    teacher, student = (
        tiny_model(layers, num_hidden_layers=layers, initializer_range=0.2) for layers in (2, 1)
    )
    return Task(student, DistillLmObjective(blocks, MaskingConfig(), VOCABULARY_IDS, loss, teacher))


OBJECTIVES: dict[str, Callable[[], Task]] = {
    made.__name__: made for made in (labels, distillation, bag, pruned, own_answers, masked_lm, distilled_lm)
}
