"""Blocks of toy languages, and a tiny model without dropout."""

import numpy as np
import torch
from transformers import BertConfig

from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import Vocabulary
from tasks.training.masked_lm.objective import MaskedLmObjective
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config, tiny_tokenizer

FIRST = 5  # id of the first token that is not special
VOCABULARY_IDS = Vocabulary.of(tiny_tokenizer())
CLS, SEP = 2, 3


class ToyBlocks:
    """`ids` int64 and `starts` bool, [blocks, length]."""

    def __init__(self, ids: np.ndarray, starts: np.ndarray) -> None:
        self.ids, self.starts = ids, starts

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.ids[numbers], self.starts[numbers]


def random_blocks(blocks: int = 40, length: int = 32, seed: int = 0) -> ToyBlocks:
    """Documents between [CLS] and [SEP], of words of one to four tokens, cut anywhere."""
    random = np.random.default_rng(seed)
    ids = random.integers(FIRST, len(VOCABULARY), size=(blocks, length))
    seams = np.flatnonzero(random.random(ids.size - 1) < 0.05)
    ids.ravel()[seams], ids.ravel()[seams + 1] = SEP, CLS
    return ToyBlocks(ids, random.random(ids.shape) < 0.5)


def topical_blocks(blocks: int = 200, length: int = 16) -> ToyBlocks:
    """Each block has one of nine topics, of three tokens each: all are equally frequent, and the others tell which three."""
    random = np.random.default_rng(0)
    ids = FIRST + 3 * random.integers(9, size=(blocks, 1)) + random.integers(3, size=(blocks, length))
    return ToyBlocks(ids, random.random(ids.shape) < 0.7)


def without_dropout(**changed: object) -> BertConfig:
    """A tiny BERT's."""
    return tiny_config(**{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} | changed)


def tiny_model(seed: int = 0, **changed: object) -> MaskedLanguageModel:
    torch.manual_seed(seed)
    return MaskedLanguageModel.from_config(without_dropout(**{"num_hidden_layers": 2} | changed))


def objective_of(blocks: ToyBlocks, **masking: object) -> MaskedLmObjective:
    return MaskedLmObjective(blocks, MaskingConfig(**masking), VOCABULARY_IDS)
