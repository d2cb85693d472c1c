"""Inference goes where accelerate says, and leaves a model where it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from tasks.inference.runner import open_runner
from tasks.models.device import accelerated_device, on_device
from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tests.conftest import ROOT
from tests.tasks.models.tiny_encoder import write_teacher

TEXTS = ["what is my balance", "tell me about the storm please", ""]


def places(checkpoint: Path, **environment: str) -> dict[str, list[str]]:
    """Where models and batches met in a process of its own."""
    command = [sys.executable, "-m", "tests.tasks.models.elsewhere", str(checkpoint)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_everything_that_infers_does_so_on_the_device_of_accelerate(tmp_path: Path) -> None:
    found = places(write_teacher(tmp_path), ACCELERATE_TORCH_DEVICE="meta")
    timed = found.pop("timed_runner")
    assert set(timed) == {"cpu, cpu, cpu"}  # what is timed is the processor
    assert {name: set(each) for name, each in found.items()} == {name: {"meta, meta, meta"} for name in found}


@pytest.mark.slow
def test_accelerates_own_variable_keeps_inference_on_the_cpu(tmp_path: Path) -> None:
    found = places(write_teacher(tmp_path), ACCELERATE_USE_CPU="true")
    assert {name: set(each) for name, each in found.items()} == {name: {"cpu, cpu, cpu"} for name in found}


def test_inference_and_training_ask_for_the_same_device() -> None:
    assert accelerated_device() == Accelerator(mixed_precision="no").device


def test_a_model_is_left_where_it_was_also_by_an_error(tmp_path: Path) -> None:
    model = SentenceClassifier.load(write_teacher(tmp_path))
    before = next(model.parameters()).device
    with pytest.raises(ZeroDivisionError), on_device(model) as device:
        assert next(model.parameters()).device == device
        raise ZeroDivisionError
    assert next(model.parameters()).device == before
    assert not any(value.is_inference() for value in model.parameters())


def test_a_model_in_training_goes_on_with_the_same_parameters(tmp_path: Path) -> None:
    """An optimizer holds them: none may be replaced by a copy on the way to the device and back."""
    model = SentenceClassifier.load(write_teacher(tmp_path)).train()
    held = list(model.parameters())
    embed_and_classify(model, [[2, 5, 3]], pad_id=0)
    assert model.training
    assert all(one is other for one, other in zip(held, model.parameters(), strict=True))


def test_answers_on_the_device_are_those_of_a_runner_on_the_cpu(tmp_path: Path) -> None:
    checkpoint = write_teacher(tmp_path)
    one, other = (open_runner(checkpoint, accelerated=accelerated) for accelerated in (True, False))
    found, expected = one.logits(TEXTS), other.logits(TEXTS)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    if accelerated_device() == torch.device("cpu"):
        assert np.array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, atol=1e-3)
