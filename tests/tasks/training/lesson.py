"""A lesson of a second: a tiny classifier learns which word a row holds. It can kill its process on cue."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tasks.training.checkpoint import Progress
from tasks.training.config import LoopConfig
from tasks.training.loop import Batch, Lesson, Log, Validated, fit
from tests.tasks.models.tiny_encoder import tiny_config

CONFIG = LoopConfig(epochs=3, batch_size=8, learning_rate=3e-3, checkpoint_every=3, mixed_precision="no")


def make_model() -> SentenceClassifier:
    torch.manual_seed(0)
    return SentenceClassifier.from_config(tiny_config(num_hidden_layers=1), 3)


def make_lesson(rows: int = 42) -> Lesson[SentenceClassifier]:
    random = np.random.default_rng(0)
    labels = torch.arange(rows) % 3
    ids = [
        [2, *random.integers(5, 12, size=1 + i % 5).tolist(), 18 + label, 3]
        for i, label in enumerate(labels.tolist())
    ]

    def loss(model: SentenceClassifier, batch: Batch) -> torch.Tensor:
        return cross_entropy(model(batch.input_ids, batch.attention_mask).logits, labels[batch.rows])

    def validate(model: SentenceClassifier) -> Validated:
        logits = torch.from_numpy(embed_and_classify(model, ids, 0).logits)
        score = -cross_entropy(logits, labels).item()
        return Validated(score, {"accuracy": (logits.argmax(dim=1) == labels).double().mean().item()})

    return Lesson(ids, 0, loss, validate)


def silent(metrics: Mapping[str, float], step: int) -> None:
    """An observer that looks away."""


def run(work_dir: Path, out_file: Path, lesson: Lesson[SentenceClassifier], log: Log = silent) -> Progress:
    model = make_model()
    progress = fit(model, lesson, CONFIG, work_dir, log)
    save_file({name: value.detach() for name, value in model.named_parameters()}, out_file)
    return progress


def killed_at(lesson: Lesson[SentenceClassifier], step: int) -> Lesson[SentenceClassifier]:
    """The lesson with a loss that kills the process when it is asked for the batch number `step`."""
    asked = iter(range(10**6))

    def loss(model: SentenceClassifier, batch: Batch) -> torch.Tensor:
        if next(asked) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return lesson.loss(model, batch)

    return Lesson(lesson.rows, lesson.pad_id, loss, lesson.validate)


def run_until(work_dir: Path, out_file: Path, step: int | None) -> None:
    """Train in this process; when `step` is given, die at that batch."""
    torch.set_num_threads(1)
    lesson = make_lesson()
    run(work_dir, out_file, lesson if step is None else killed_at(lesson, step))


def run_as_one_of(processes: int, process: int, port: int, folder: Path) -> None:
    """Train as one of several processes that average their gradients, on the CPU."""
    place = {"RANK": process, "LOCAL_RANK": process, "WORLD_SIZE": processes, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "true"})
    torch.set_num_threads(1)
    run(folder / "work", folder / f"out-{process}", make_lesson())
    torch.distributed.destroy_process_group()
