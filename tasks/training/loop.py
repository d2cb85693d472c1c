"""The training loop: one loop for every stage, which takes a loss and a validation and knows neither.

What is learned from is said by the loss, what is best by the validation; the loop brings batches, steps,
mixed precision, several devices (accelerate), checkpoints and the early stop. A run that was killed goes on
from its last checkpoint and ends with the same weights as an unbroken one: the order of the rows, the rate
and the random numbers are functions of seed and step, everything else is in the checkpoint.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import torch
from accelerate import Accelerator
from torch import nn
from tqdm import tqdm

from infra.errors import ConfigError, DataError
from tasks.models.batching import pad
from tasks.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tasks.training.config import LoopConfig
from tasks.training.determinism import deterministic, seed_step
from tasks.training.optimiser import build_optimiser, optimiser_tensors, restore_optimiser, set_rate
from tasks.training.order import length_grouped, share_of
from tasks.training.precision import autocast
from tasks.training.schedule import warmup_then_decay

LOG_EVERY = 20  # optimiser steps that one logged training loss is the mean of


class Batch(NamedTuple):
    """`input_ids` and `attention_mask` int64 [batch, sequence]; `rows` int64 [batch], numbers of training rows;
    `step`, the optimiser steps done before it.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    rows: torch.Tensor
    step: int = 0


class Validated(NamedTuple):
    """`score` is what the best epoch has most of; `metrics` go to the observer."""

    score: float
    metrics: dict[str, float]


Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[Model, Batch], torch.Tensor]
Validate = Callable[[Model], Validated]
Log = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True)
class Lesson(Generic[Model]):
    """What is trained on: token ids of each row, the id that pads them, the loss, the validation.

    `rate_factors`: parameters whose name ends so learn at that multiple of the encoder's rate, without decay.
    """

    rows: Sequence[Sequence[int]]
    pad_id: int
    loss: Loss[Model]
    validate: Validate[Model]
    rate_factors: Mapping[str, float] = field(default_factory=dict)


def fit(model: Model, lesson: Lesson[Model], config: LoopConfig, work_dir: Path, log: Log) -> Progress:
    """Train `model` in place and leave it with the weights of its best epoch, in evaluation mode.

    The weights it came with count as epoch 0.

    Args:
        model: parameters without `requires_grad` stay as they are and are in no checkpoint; buffers of the model's
            state are, and a loss or a validation may change them in place.
        lesson: rows, loss and validation.
        config: `epochs` must be set.
        work_dir: checkpoints lie here; a run that finds some goes on from the newest.
        log: observer of the metrics, called with the step they belong to.

    Raises:
        ConfigError: `epochs` is not set.
        DataError: there are no rows.
        StoreError: a checkpoint could not be written.
    """
    if config.epochs is None:
        raise ConfigError(
            "epochs is not set: expected a number of passes over the rows. Give --<stage>.epochs."
        )
    if not lesson.rows:
        raise DataError(
            "there are no rows to train on: expected at least one. Look at the curate stage's report."
        )
    with deterministic():
        return _Run(model, lesson, config, work_dir, log).to_end(config.epochs)


def trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """All that training changes: parameters with `requires_grad`, and persistent buffers, such as moving ranges."""
    kept = model.state_dict().keys()
    weights = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return weights | {name: value for name, value in model.named_buffers() if name in kept}


class _Run(Generic[Model]):
    """One training run: what the loop holds between its steps."""

    def __init__(
        self, model: Model, lesson: Lesson[Model], config: LoopConfig, work_dir: Path, log: Log
    ) -> None:
        self.lesson, self.config, self.work_dir, self.log = lesson, config, work_dir, log
        # Autocast is ours: what accelerate is told once holds for every later training of the process.
        self.accelerator = Accelerator(mixed_precision="no")
        self.bare = model
        self.model: Model  # the same, wrapped for several devices where there are several
        self.model, self.optimiser = self.accelerator.prepare(
            model, build_optimiser(model, config, lesson.rate_factors)
        )
        self.weights = trained_state(model)
        self.lengths = [len(row) for row in lesson.rows]
        self.best: dict[str, torch.Tensor] = {}
        self.progress = Progress()
        self.losses: list[torch.Tensor] = []
        self.total = 0
        self._restore()

    def to_end(self, epochs: int) -> Progress:
        per_epoch = -(-len(self.lengths) // self.config.batch_size)
        self.total = per_epoch * epochs
        with tqdm(
            total=self.total, initial=self.progress.step, unit="step", desc="training", disable=None
        ) as bar:
            if self.progress.best_score is None:
                self._validate(0, bar)  # training must not make it worse than it came
            while self.progress.epoch < epochs and self.progress.without_gain < self.config.patience:
                epoch, step = self.progress.epoch, self.progress.step
                batches = length_grouped(self.lengths, self.config.batch_size, self.config.seed, epoch)
                self.model.train()
                for batch in batches[step - epoch * per_epoch :]:
                    self._step(batch)
                    bar.update()
                self._emit_loss()
                self._validate(epoch + 1, bar)
                self._save()
        self._load(self.best)
        self.bare.eval()
        return self.progress

    def _step(self, rows: list[int]) -> None:
        step = self.progress.step
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        seed_step(self.config.seed, step, process)
        set_rate(self.optimiser, warmup_then_decay(step, self.total, self.config.warmup_share))
        batch = self._batch(share_of(rows, process, processes), step)
        with autocast(self.config.mixed_precision, self.accelerator.device):
            loss = self.lesson.loss(self.model, batch)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.progress = self.progress.model_copy(update={"step": step + 1})
        self._log_loss(loss.detach())
        if (step + 1) % self.config.checkpoint_every == 0:
            self._save()

    def _batch(self, rows: list[int], step: int) -> Batch:
        ids, mask = pad([self.lesson.rows[row] for row in rows], self.lesson.pad_id)
        device = self.accelerator.device
        return Batch(ids.to(device), mask.to(device), torch.tensor(rows, device=device), step)

    def _log_loss(self, loss: torch.Tensor) -> None:
        self.losses.append(loss)
        if self.progress.step % LOG_EVERY == 0:
            self._emit_loss()

    def _emit_loss(self) -> None:
        """The mean of the losses since the last time; they are looked at only now, so a GPU need not wait."""
        if not self.losses:
            return
        loss = torch.stack(self.losses).mean().item()
        self.losses.clear()
        if not math.isfinite(loss):
            raise ConfigError(
                f"the training loss is {loss} at step {self.progress.step}: expected a number. Give a "
                f"lower learning rate than {self.config.learning_rate}, or mixed_precision no."
            )
        self._emit({"train_loss": loss, "progress": self.progress.step / self.total})

    def _validate(self, epoch: int, bar: tqdm) -> None:
        """Validate after `epoch` epochs and keep the weights when they are the best so far."""
        score, metrics = self.lesson.validate(self.bare)
        update: dict[str, object] = {"epoch": epoch, "without_gain": self.progress.without_gain + 1}
        if self.progress.best_score is None or score > self.progress.best_score:
            self.best = {name: value.detach().clone() for name, value in self.weights.items()}
            update |= {"best_score": score, "best_epoch": epoch, "best_metrics": metrics, "without_gain": 0}
        self.progress = self.progress.model_copy(update=update)
        self._emit(metrics)
        bar.set_postfix({"epoch": epoch, "validation": f"{score:.4f}"})

    def _emit(self, metrics: Mapping[str, float]) -> None:
        if self.accelerator.is_main_process:
            self.log(metrics, self.progress.step)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            parts = {"model": self.weights, "best": self.best, "optimiser": optimiser_tensors(self.optimiser)}
            tensors = {f"{part}/{name}": value for part in parts for name, value in parts[part].items()}
            save_checkpoint(self.work_dir, self.progress, tensors)

    def _restore(self) -> None:
        found = load_checkpoint(self.work_dir)
        if found is None:
            return
        parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "best": {}, "optimiser": {}}
        for key, value in found.tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = value.to(self.accelerator.device)
        self.progress, self.best = found.progress, parts["best"]
        self._load(parts["model"])
        restore_optimiser(self.optimiser, parts["optimiser"])

    def _load(self, values: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                self.weights[name].copy_(value)
