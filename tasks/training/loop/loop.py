"""The training loop: one for everything that learns. It knows neither what is learned nor from what.

An objective makes batches and says what they cost, a sampler says which rows meet in which step, an evaluation what is
better; the loop brings steps, accumulation, several processes (accelerate), mixed precision, checkpoints and the early
stop. Rows, rate and random numbers are functions of seed and step, everything else is in the checkpoint: a run that was
killed goes on and ends with the weights of an unbroken one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import reduce
from pathlib import Path
from typing import Generic, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, send_to_device
from torch import nn
from tqdm import tqdm

from infra.errors import ConfigError
from tasks.training.config import LoopConfig
from tasks.training.loop.allocator import held_memory
from tasks.training.loop.budget import Budget
from tasks.training.loop.checkpoint import CheckpointWriter, Progress, load_best, load_checkpoint
from tasks.training.loop.determinism import deterministic, seed_step
from tasks.training.loop.objective import Batch, Draw, Model, Objective, refuse_to_split
from tasks.training.loop.optimizer import build_optimizers, optimizer_tensors, restore_optimizers, set_rate
from tasks.training.loop.sampler import Sampler, share_of
from tasks.training.loop.schedule import rate_factor
from tasks.training.loop.seen import Done, Seen, most_memory
from tasks.training.precision import autocast

LOG_EVERY = 20  # training steps that one logged training loss is the mean of


class Evaluated(NamedTuple):
    """`score` is what the best weights have most of; `metrics` go to the observer."""

    score: float
    metrics: dict[str, float]


Evaluation = Callable[[Model], Evaluated]
Observe = Callable[[Mapping[str, float], int], None]
Keep = Callable[[int], None]


def fit(
    model: Model,
    objective: Objective[Model, Batch],
    sampler: Sampler,
    config: LoopConfig,
    evaluation: Evaluation[Model],
    work_dir: Path,
    observe: Observe,
    tokens: int = 0,
    keep: Keep | None = None,
) -> Progress:
    """Train `model` in place and leave it with the weights of its best evaluation, in evaluation mode.

    The weights it came with count as step 0.

    Args:
        model: parameters without `requires_grad` stay as they are and are in no checkpoint; buffers of the model's
            state are, and the objective may change them in place.
        objective: what the model learns.
        sampler: the rows of each step.
        config: budget, rate, batch and the like; one of `epochs`, `steps` and `tokens` must be set.
        evaluation: of the main process alone; the others are told what it found.
        work_dir: checkpoints lie here; a run that finds some goes on from the newest.
        observe: is told metrics, with the step they belong to.
        tokens: of one pass over the rows; for a budget in tokens.
        keep: is called by the main process after each evaluation with the step, the model as it is then: milestones.

    Raises:
        ConfigError: no budget is set, the objective cannot be split and would be, or the loss is not finite.
        StoreError: a checkpoint could not be written.
    """
    budget = Budget(config.epochs, config.steps, config.tokens)
    total = budget.to_steps(sampler.steps_per_epoch, tokens)
    with deterministic():
        run = _Run(model, objective, sampler, config, work_dir, observe)
        return run.to_end(evaluation, total, keep or (lambda step: None))


def trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """All that training changes: parameters with `requires_grad`, and persistent buffers, such as moving ranges."""
    kept = model.state_dict().keys()
    weights = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return weights | {name: value for name, value in model.named_buffers() if name in kept}


class _Run(Generic[Model, Batch]):
    """One training run: what the loop holds between its steps."""

    def __init__(
        self,
        model: Model,
        objective: Objective[Model, Batch],
        sampler: Sampler,
        config: LoopConfig,
        work_dir: Path,
        observe: Observe,
    ) -> None:
        self.objective, self.sampler, self.config = objective, sampler, config
        self.work_dir, self.observe = work_dir, observe
        # Autocast is ours: what accelerate is told once holds for every later training of the process.
        self.accelerator = Accelerator(mixed_precision="no")
        self.process, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        refuse_to_split(objective, self.processes, config.micro_batch_size)
        self.bare = model
        if config.gradient_checkpointing:
            objective.save_memory(model)
        self.model: Model = self.accelerator.prepare(
            model
        )  # wrapped for several devices where there are several
        adam = config.adam_beta2, config.fused
        self.optimizers = build_optimizers(
            objective.groups(model), config.learning_rate, config.weight_decay, *adam
        )
        self.weights = trained_state(model)
        self.progress = Progress(steps_per_epoch=sampler.steps_per_epoch)
        self.total = 0
        self.seen = Seen()
        self._restore()

    def to_end(self, evaluation: Evaluation[Model], total: int, keep: Keep) -> Progress:
        self.total = total
        with (
            held_memory(self.accelerator.device),
            CheckpointWriter(self.work_dir) as writer,
            tqdm(total=total, initial=self.progress.step, unit="step", desc="training", disable=None) as bar,
        ):
            if self.progress.best_score is None:
                self._evaluate(evaluation, writer, bar)  # training must not make it worse than it came
            self.model.train()
            while self.progress.step < total and self.progress.without_gain < self.config.patience:
                self._step()
                bar.update()
                evaluated = self._is_due()
                if evaluated:
                    self._evaluate(evaluation, writer, bar)
                    if self.accelerator.is_main_process:
                        keep(self.progress.step)
                    self.model.train()
                due = self.progress.step % self.config.checkpoint_every == 0
                if evaluated or (due and writer.affords(self.config.checkpoint_share)):
                    self._save(writer)
            writer.wait()
            self.accelerator.wait_for_everyone()
            if self.progress.best_step != self.progress.step:
                self._load(load_best(self.work_dir, self.progress))
        self.bare.eval()
        return self.progress

    def _step(self) -> None:
        step = self.progress.step
        seed_step(self.config.seed, step, self.process)
        set_rate(self.optimizers, self._rate_factor(step))
        self.objective.before_step(step)
        rows = self.sampler.rows(step)
        own = share_of(rows, self.process, self.processes)
        # With nothing to do a process still has to take part in the gradients' sum: it adds zero times a row.
        batches = self._batches(own if len(own) else rows[:1], step)
        done = self._backward(batches, idle=not len(own))
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.progress = self.progress.model_copy(update={"step": step + 1})
        self.seen.add(done, norm, len(rows))
        if self.progress.step % LOG_EVERY == 0:
            self._tell()

    def _rate_factor(self, step: int) -> float:
        config = self.config
        return rate_factor(step, self.total, config.warmup_share, config.schedule, config.decay_share)

    def _batches(self, rows: np.ndarray, step: int) -> list[Batch]:
        size = self.config.micro_batch_size or len(rows)
        draw = Draw(self.config.seed, step // self.sampler.steps_per_epoch)
        return [self.objective.batch(rows[start : start + size], draw) for start in range(0, len(rows), size)]

    def _backward(self, batches: Sequence[Batch], idle: bool) -> Done:
        """Add the gradients of the whole step's loss; returns this process's share of it."""
        each = [self.objective.weight(batch) for batch in batches]
        whole = self._weights_of_all(each, idle)
        done = Done(whole, self.accelerator.device)
        for place, (batch, weights) in enumerate(zip(batches, each, strict=True)):
            last = place == len(batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                with autocast(self.config.mixed_precision, self.accelerator.device):
                    terms = self.objective.loss(self.model, send_to_device(batch, self.accelerator.device))
                parts = [
                    term.coefficient * (term.total / (whole[name] or 1.0)) for name, term in terms.items()
                ]
                loss = reduce(torch.add, parts)
                if not idle:
                    done.add(loss, terms, weights)
                if self.processes > 1:  # their gradients are averaged, and are to be summed
                    loss = loss * (0.0 if idle else float(self.processes))
                self.accelerator.backward(loss)
        return done

    def _weights_of_all(self, each: Sequence[Mapping[str, float]], idle: bool) -> dict[str, float]:
        """Each term's weight over the whole step: all micro-batches, whose weights these are, of all processes."""
        own = {name: 0.0 if idle else float(sum(weights[name] for weights in each)) for name in each[0]}
        if self.processes == 1:
            return own
        values = torch.tensor(list(own.values()), dtype=torch.float64, device=self.accelerator.device)
        return dict(zip(own, self._summed(values).tolist(), strict=True))

    def _tell(self) -> None:
        """Means since the last time. Tensors are looked at only now, so that a GPU need not wait."""
        if not self.seen.steps:
            return
        told = self.seen.told(self._summed)
        self.seen = Seen()
        if not math.isfinite(told["train_loss"]):
            raise ConfigError(
                f"the training loss is {told['train_loss']} at step {self.progress.step}: expected a number. Give a "
                f"lower learning rate than {self.config.learning_rate}, or mixed_precision no."
            )
        rate = self.config.learning_rate * self._rate_factor(self.progress.step - 1)
        memory = most_memory(self.accelerator.device)
        done = self.progress.step / self.total
        self._emit({**told, "learning_rate": rate, "memory_mib": memory, "progress": done})

    def _summed(self, values: torch.Tensor) -> torch.Tensor:
        """Over all processes."""
        return self.accelerator.reduce(values, "sum") if self.processes > 1 else values

    def _is_due(self) -> bool:
        every = self.config.evaluate_every or self.sampler.steps_per_epoch
        return self.progress.step % every == 0 or self.progress.step == self.total

    def _evaluate(self, evaluation: Evaluation[Model], writer: CheckpointWriter, bar: tqdm) -> None:
        """Evaluate, and keep the weights when they are the best so far."""
        self._tell()
        # The others are told: an evaluation of each would be the same, later.
        told = [evaluation(self.bare) if self.accelerator.is_main_process else Evaluated(0.0, {})]
        if self.processes > 1:
            broadcast_object_list(told)
        score, metrics = told[0]
        update: dict[str, object] = {"without_gain": self.progress.without_gain + 1, "last_metrics": metrics}
        best = self.progress.best_score
        if better := best is None or score > best:
            update |= {
                "best_score": score,
                "best_step": self.progress.step,
                "best_metrics": metrics,
                "without_gain": 0,
            }
        self.progress = self.progress.model_copy(update=update)
        if better and self.accelerator.is_main_process:
            writer.save_best(self.progress, self.weights)
        epochs = {"epoch": self.progress.epoch, "best_epoch": self.progress.best_epoch}
        self._emit({**epochs, "validation_score": score, **metrics})
        self.seen = Seen()  # its clock begins with the training that follows
        bar.set_postfix({"validation": f"{score:.4f}"})

    def _emit(self, metrics: Mapping[str, float]) -> None:
        if self.accelerator.is_main_process:
            self.observe(metrics, self.progress.step)

    def _save(self, writer: CheckpointWriter) -> None:
        if self.accelerator.is_main_process:
            parts = {"model": self.weights, "optimizer": optimizer_tensors(self.optimizers)}
            tensors = {f"{part}/{name}": value for part in parts for name, value in parts[part].items()}
            writer.save(self.progress, tensors)

    def _restore(self) -> None:
        found = load_checkpoint(self.work_dir)
        if found is None:
            return
        parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}}
        for key, value in found.tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = value.to(self.accelerator.device)
        self.progress = found.progress
        self._load(parts["model"])
        restore_optimizers(self.optimizers, parts["optimizer"])

    def _load(self, values: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                self.weights[name].copy_(value)
