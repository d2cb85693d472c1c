"""Checkpoints of a training run: safetensors and JSON, whole or not there at all.

A checkpoint is a folder that appears by one rename. The two newest are kept: should the disk spoil the last,
the one before serves, and at worst training starts again.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from infra.errors import ArtifactError, StoreError
from tasks.formats.value import Value

KEPT = 2
NAME = re.compile(r"step-(\d{8})")


class Progress(Value):
    """How far a run has come; `state.json` of a checkpoint."""

    step: int = Field(0, description="optimiser steps done")
    epoch: int = Field(0, description="epochs done, validation included")
    best_score: float | None = Field(None, description="best validation score so far; null before the first")
    best_epoch: int = Field(0, description="the epoch that had it; 0: the weights before training")
    best_metrics: dict[str, float] = Field({}, description="validation metrics of that epoch")
    without_gain: int = Field(0, description="epochs since then")


class Checkpoint(NamedTuple):
    """A run's progress and its tensors by name."""

    progress: Progress
    tensors: dict[str, torch.Tensor]


def save_checkpoint(folder: Path, progress: Progress, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a checkpoint under `folder` by an atomic rename and drop all but the two newest.

    Raises StoreError when the disk does not take it.
    """
    name = f"step-{progress.step:08d}"
    partial = folder / f"{name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        content = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        state = {"progress": progress.model_dump(), "sha256": hashlib.sha256(content).hexdigest()}
        (partial / "tensors.safetensors").write_bytes(content)
        (partial / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
        shutil.rmtree(folder / name, ignore_errors=True)
        partial.rename(folder / name)
        for old in _checkpoints(folder)[:-KEPT]:
            shutil.rmtree(old)
    except OSError as error:
        raise StoreError(
            f"a checkpoint could not be written to {folder} ({error}). Free some space or make the folder "
            "writable, then run again: training goes on from the checkpoint before."
        ) from error


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint under `folder`, None when there is none; a damaged one is said and passed
    over.
    """
    for path in reversed(_checkpoints(folder)):
        try:
            return _read(path)
        except ArtifactError as error:
            warnings.warn(f"{error} The one before it is used, or training starts again.", stacklevel=2)
    return None


def _read(path: Path) -> Checkpoint:
    try:
        state = json.loads((path / "state.json").read_text())
        progress = Progress.model_validate(state["progress"])
        content = (path / "tensors.safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != state["sha256"]:
            raise ArtifactError(f"checkpoint {path} is damaged: its tensors do not have the recorded digest.")
        return Checkpoint(progress, load(content))
    except (OSError, ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
        raise ArtifactError(f"checkpoint {path} is damaged ({type(error).__name__}: {error}).") from error


def _checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
