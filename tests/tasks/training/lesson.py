"""A lesson of a second: a tiny classifier learns which word a row holds. It can kill its process on cue."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from tasks.formats.token_shards import TokenShards
from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tasks.training.config import LoopConfig
from tasks.training.loop.checkpoint import Progress
from tasks.training.loop.loop import Evaluated, Evaluation, Observe
from tasks.training.loop.objective import Term
from tasks.training.text_objective import LabelledBatch, LabelledRows, TextRows, fit_texts
from tests.tasks.models.tiny_encoder import tiny_config
from tests.tasks.training.several import join

CONFIG = LoopConfig(
    epochs=3, batch_size=8, learning_rate=3e-3, checkpoint_every=3, checkpoint_share=1, mixed_precision="no"
)


def make_model() -> SentenceClassifier:
    torch.manual_seed(0)
    return SentenceClassifier.from_config(tiny_config(num_hidden_layers=1), 3)


class Lesson(NamedTuple):
    """What is learned, and what is better."""

    objective: LabelledRows
    evaluation: Evaluation[SentenceClassifier]

    def fit(
        self, model: SentenceClassifier, config: LoopConfig, work_dir: Path, observe: Observe | None = None
    ) -> Progress:
        return fit_texts(model, self.objective, config, self.evaluation, work_dir, observe or silent)


class Watched(LabelledRows):
    """Rows whose loss something is done with: `change` gets its sum and how many batches came before."""

    def __init__(self, plain: LabelledRows, change: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
        super().__init__(plain.texts, plain.labels.numpy())
        self.change, self.asked = change, 0

    def loss(self, model: SentenceClassifier, batch: LabelledBatch) -> Mapping[str, Term]:
        (term,) = super().loss(model, batch).values()
        self.asked += 1
        return {"cross_entropy": Term(self.change(term.total, self.asked - 1))}


def make_lesson(rows: int = 42) -> Lesson:
    random = np.random.default_rng(0)
    labels = torch.arange(rows) % 3
    ids = [
        [2, *random.integers(5, 12, size=1 + i % 5).tolist(), 18 + label, 3]
        for i, label in enumerate(labels.tolist())
    ]

    def evaluate(model: SentenceClassifier) -> Evaluated:
        logits = torch.from_numpy(embed_and_classify(model, ids, 0).logits)
        score = -cross_entropy(logits, labels).item()
        return Evaluated(score, {"accuracy": (logits.argmax(dim=1) == labels).double().mean().item()})

    return Lesson(LabelledRows(TextRows(TokenShards.of(ids), 0), labels.numpy()), evaluate)


def silent(metrics: Mapping[str, float], step: int) -> None:
    """An observer that looks away."""


def run(work_dir: Path, out_file: Path, lesson: Lesson, config: LoopConfig = CONFIG) -> Progress:
    model = make_model()
    progress = lesson.fit(model, config, work_dir)
    save_file({name: value.detach() for name, value in model.named_parameters()}, out_file)
    return progress


def killed_at(lesson: Lesson, step: int) -> Lesson:
    """The lesson with a loss that kills the process when it is asked for the batch number `step`."""

    def kill(total: torch.Tensor, asked: int) -> torch.Tensor:
        if asked == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return total

    return lesson._replace(objective=Watched(lesson.objective, kill))


def run_until(work_dir: Path, out_file: Path, step: int | None) -> None:
    """Train in this process; when `step` is given, die at that batch."""
    torch.set_num_threads(1)
    lesson = make_lesson()
    run(work_dir, out_file, lesson if step is None else killed_at(lesson, step))


def run_as_one_of(processes: int, process: int, port: int, folder: Path) -> None:
    """Train as one of several processes that average their gradients, on the CPU."""
    join(process, processes, port)
    run(folder / "work", folder / f"out-{process}", make_lesson())
    torch.distributed.destroy_process_group()
