"""What a training step takes, by the loop and by transformers' `Trainer`, one after the other in each round."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate.state import AcceleratorState
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tasks.training.precision import computes_in_bf16
from tests.benchmarks.side_by_side import Figures


class Steps(NamedTuple):
    """How many are counted, after how many that are not, of how many rows.

    The loop tells of every twentieth step: both counts are multiples of it.
    """

    counted: int
    warm: int
    batch_size: int

    @property
    def total(self) -> int:
        return self.warm + self.counted

    def mean_of(self, at: Mapping[int, float]) -> float:
        """Seconds of a step, from when each ended."""
        return (at[self.total] - at[self.warm]) / self.counted


class Told:
    """An observer of the loop that keeps when each step was told of."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        self.at[step] = time.perf_counter()


class Watch(TrainerCallback):
    """Keeps when each step ended."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """When a step ended."""
        self.at[state.global_step] = time.perf_counter()


def trainer_seconds(
    model: nn.Module, collate: Callable[[Any], Any], rows: Any, steps: Steps, folder: Path, **asked: Any
) -> float:
    """Seconds of a step of `Trainer` in our loop's precision, with its defaults but for `asked`; it logs and saves nothing."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps.total,
        per_device_train_batch_size=steps.batch_size,
        bf16=computes_in_bf16(torch.device("cpu")),
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        **asked,
    )
    watch = Watch()
    trainer = Trainer(model, arguments, collate, train_dataset=rows, callbacks=[watch])
    trainer.remove_callback(PrinterCallback)  # standard output is the table's
    trainer.train()
    # Its precision would hold for the next run of ours.
    AcceleratorState._reset_state(reset_partial_state=True)
    return steps.mean_of(watch.at)


def in_turns(ways: Mapping[str, Callable[[Path], float]], folder: Path, rounds: int) -> dict[str, Figures]:
    """Seconds of a step of each way, one after the other in each round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            found[name].append(way(folder / f"{name}-{number}"))
            print(f"{folder.name} {name}: {found[name][-1]:.4f} s a step", file=sys.stderr, flush=True)
            shutil.rmtree(folder / f"{name}-{number}", ignore_errors=True)
    return {name: tuple(values) for name, values in found.items()}
