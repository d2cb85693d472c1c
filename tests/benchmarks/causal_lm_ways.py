"""A step of the same causal language model by our loop, by transformers' `Trainer` and by a plain loop: seconds of each.

Each is called in a process of its own: what our loop asks of the C library's allocator changes that for good, and would slow
down the others.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import GPT2LMHeadModel, default_data_collator

from tasks.formats.packed_corpus import TRAIN, open_part, read_packed_corpus
from tasks.formats.token_blocks import Windows
from tasks.models.gpt.model import Gpt
from tasks.models.loading import quiet_transformers
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.causal_lm.objective import CausalLmObjective
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.objective import OptimizerKind
from tasks.training.loop.sampler import Shuffled
from tasks.training.precision import computes_in_bf16
from tests.benchmarks.nano_gpt import like, plain_seconds
from tests.benchmarks.step_times import Steps, Told, trainer_seconds

NEVER = 10**6


class Given(NamedTuple):
    """What all train: fresh weights in the folder `checkpoint`, on a packed corpus in `tokens`."""

    checkpoint: Path
    tokens: Path

    def windows(self, length: int) -> Windows:
        return open_part(self.tokens, TRAIN).windows(length)


class PlainRows(Dataset[dict[str, np.ndarray]]):
    """Rows as Trainer wants them: the model shifts the labels itself."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        ids = self.windows[np.array([number])][0, :-1]
        return {"input_ids": ids, "labels": ids}


def ours(given: Given, optimizer: OptimizerKind, steps: Steps, folder: Path) -> float:
    """Seconds of a step as `pretrain` sets it up, at its defaults but for the optimizer and how long."""
    config = PretrainConfig(
        optimizer=optimizer,
        epochs=None,
        steps=steps.total,
        batch_size=steps.batch_size,
        evaluate_every=NEVER,
        checkpoint_every=NEVER,
    )
    model = Gpt.load(given.checkpoint)
    windows = given.windows(model.context)
    quality = read_packed_corpus(given.tokens).quality_ids
    objective = CausalLmObjective(windows, quality, config.within_documents, config.optimizer)
    told = Told()
    sampler = Shuffled(len(windows), config.batch_size, config.seed)
    fit(model, objective, sampler, config, lambda trained: Evaluated(0.0, {}), folder, told)
    return steps.mean_of(told.at)


def trainer(given: Given, steps: Steps, folder: Path) -> float:
    """The same of `Trainer`."""
    model = _plain(given)
    rows = PlainRows(given.windows(model.config.n_positions))
    return trainer_seconds(model, default_data_collator, rows, steps, folder)


def plain(given: Given, steps: Steps, folder: Path) -> float:
    """The same of the plain loop, which leaves nothing in `folder`."""
    model = _plain(given)
    tokens = open_part(given.tokens, TRAIN).ids
    bf16 = computes_in_bf16(torch.device("cpu"))
    return plain_seconds(like(model), tokens, model.config.n_positions, steps, bf16)


def _plain(given: Given) -> GPT2LMHeadModel:
    with quiet_transformers():
        return GPT2LMHeadModel.from_pretrained(given.checkpoint)
