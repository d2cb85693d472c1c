"""Checkpoints of a training run: safetensors and JSON, written beside the training, whole or not there at all.

    <work_dir>/step-00000400/   weights, optimizers and progress after 400 steps; the newest two are kept
    <work_dir>/best-00000300/   the weights of the best evaluation, once; kept while a checkpoint counts on it

A folder appears by one rename and is believed by its digest alone: should the disk spoil the newest, or a kill cut it, the
one before serves, and at worst training starts again.
"""

import hashlib
import json
import math
import re
import shutil
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from infra.errors import ArtifactError, StoreError
from tasks.formats.value import Value

KEPT = 2
NAME = re.compile(r"(step|best)-(\d{8})")
TENSORS, STATE = "tensors.safetensors", "state.json"


class Progress(Value):
    """How far a run has come; in `state.json` of a checkpoint."""

    step: int = Field(0, description="training steps done")
    best_score: float | None = Field(
        None, description="best score of an evaluation so far; null before the first"
    )
    best_step: int = Field(0, description="the step after which it was; 0: the weights before training")
    best_metrics: dict[str, float] = Field({}, description="metrics of that evaluation")
    last_metrics: dict[str, float] = Field({}, description="metrics of the last evaluation, best or not")
    without_gain: int = Field(0, description="evaluations since then")
    steps_per_epoch: int = Field(1, description="steps in which each row is seen once")

    @property
    def epoch(self) -> float:
        """Passes over the rows so far."""
        return self.step / self.steps_per_epoch

    @property
    def best_epoch(self) -> float:
        """The best step in passes over the rows, whole where it is the end of one."""
        whole, rest = divmod(self.best_step, self.steps_per_epoch)
        return whole if not rest else self.best_step / self.steps_per_epoch


class Checkpoint(NamedTuple):
    """A run's progress and its tensors by name."""

    progress: Progress
    tensors: dict[str, torch.Tensor]


class CheckpointWriter:
    """Writes in a thread of its own what the loop hands it, one folder after another, in order.

    Tensors are copied when they are handed over: training goes on while they are written. What the disk refused is raised
    by the next call, or at the end of the block.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._under_way: Future[None] | None = None
        self._begun = -math.inf  # when the last one was copied
        self._seconds = 0.0  # that copying and writing it took

    def save(self, progress: Progress, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write a checkpoint, and drop what no newer one counts on. Raises StoreError."""
        self._hand_over(f"step-{progress.step:08d}", progress, tensors)

    def save_best(self, progress: Progress, weights: Mapping[str, torch.Tensor]) -> None:
        """Write the weights of the best evaluation, whose step `progress` names. Raises StoreError."""
        self._hand_over(f"best-{progress.best_step:08d}", progress, weights)

    def affords(self, share: float) -> bool:
        """Whether another one now would cost at most `share` of the time, if it takes as long as the last one."""
        if self._under_way is not None and not self._under_way.done():
            return False
        return self._seconds <= share * (time.monotonic() - self._begun)

    def wait(self) -> None:
        """Come back when everything is on the disk. Raises StoreError."""
        if self._under_way is not None:
            waited, self._under_way = self._under_way, None
            waited.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        if kind is None:
            self.wait()

    def _hand_over(self, name: str, progress: Progress, tensors: Mapping[str, torch.Tensor]) -> None:
        self.wait()  # one copy at most is under way
        self._begun = time.monotonic()
        copied = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}

        def write() -> None:
            write_folder(self.folder, name, progress, copied)
            self._seconds = time.monotonic() - self._begun

        self._under_way = self._thread.submit(write)


def write_folder(folder: Path, name: str, progress: Progress, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write `folder`/`name` by an atomic rename; drop older checkpoints, and best weights that none counts on.

    Raises StoreError when the disk does not take it.
    """
    partial = folder / f"{name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(dict(tensors), partial / TENSORS)
        state = {"progress": progress.model_dump(), "sha256": _digest(partial / TENSORS)}
        (partial / STATE).write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
        shutil.rmtree(folder / name, ignore_errors=True)
        partial.rename(folder / name)
        if name.startswith("step"):
            _drop_old(folder)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"a checkpoint could not be written to {folder} ({error}). Free some space or make the folder "
            "writable, then run again: training goes on from the checkpoint before."
        ) from error


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint under `folder` whose best weights are whole too, None when there is none.

    A damaged one is said and passed over.
    """
    for path in reversed(_folders(folder, "step")):
        try:
            progress, tensors = _read(path)
            _checked(folder / f"best-{progress.best_step:08d}")
            return Checkpoint(progress, tensors)
        except ArtifactError as error:
            warnings.warn(f"{error} The one before it is used, or training starts again.", stacklevel=2)
    return None


def load_best(folder: Path, progress: Progress) -> dict[str, torch.Tensor]:
    """The weights of the best evaluation. Raises ArtifactError when they are damaged."""
    return _read(folder / f"best-{progress.best_step:08d}")[1]


def _read(path: Path) -> tuple[Progress, dict[str, torch.Tensor]]:
    progress = _checked(path)
    try:
        return progress, load_file(path / TENSORS)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"checkpoint {path} is damaged ({type(error).__name__}: {error}).") from error


def _checked(path: Path) -> Progress:
    """The progress that a folder says, if its tensors have the digest that it says."""
    try:
        state = json.loads((path / STATE).read_text())
        progress = Progress.model_validate(state["progress"])
        whole = _digest(path / TENSORS) == state["sha256"]
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ArtifactError(f"checkpoint {path} is damaged ({type(error).__name__}: {error}).") from error
    if not whole:
        raise ArtifactError(f"checkpoint {path} is damaged: its tensors do not have the recorded digest.")
    return progress


def _drop_old(folder: Path) -> None:
    """Leave the newest checkpoints, the best weights that they count on, and those of a later evaluation."""
    steps = _folders(folder, "step")
    for old in steps[:-KEPT]:
        shutil.rmtree(old)
    needed = set()
    for kept in steps[-KEPT:]:
        try:
            needed.add(json.loads((kept / STATE).read_text())["progress"]["best_step"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # Damaged: it will be passed over, and so may its best weights.
    newest = int(steps[-1].name.rpartition("-")[2])
    for best in _folders(folder, "best"):
        step = int(best.name.rpartition("-")[2])
        if step not in needed and step <= newest:
            shutil.rmtree(best)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders(folder: Path, kind: str) -> list[Path]:
    """Finished folders of a kind, oldest first."""
    if not folder.is_dir():
        return []
    found = ((NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(path for match, path in found if match and match[1] == kind)
