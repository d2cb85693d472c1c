"""docs/scale.md: the script for several machines trains, and the figures of memory are those of the models."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.models.gpt.fresh import fresh_gpt, gpt_config
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.config import PretrainConfig
from tests.benchmarks.gpt_memory import described, held_by, kept_by
from tests.conftest import ROOT
from tests.tasks.baselines.causal_ngrams.documents import write_corpus
from tests.tasks.data.packing.tiny_tokenizers import byte_level, saved

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_script_for_several_machines_is_shared_by_two_processes(tmp_path: Path) -> None:
    tokenizer = saved(byte_level(), tmp_path / "tokenizer")
    vocabulary = len(byte_level())
    rows = [[1, *range(4, 40), 0] for _ in range(20)]
    write_corpus(tmp_path / "tokens", {"train": rows, "validation": rows[:4]}, vocabulary)
    fresh_gpt(GptConfig(size="nano", layers=1, width=16, context=16), tokenizer, tmp_path / "model")
    (tmp_path / "here.py").write_text(re.findall("```python\n(.*?)```", PAGE, re.DOTALL)[0])
    config = PretrainConfig(epochs=None, steps=4, batch_size=4)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    names = ("config.json", "model", "tokens", "output", "work")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
               "--nproc-per-node", "2", str(tmp_path / "here.py"), *(str(tmp_path / name) for name in names)]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    trained, fresh = Gpt.load(tmp_path / "output" / "rank-0"), Gpt.load(tmp_path / "model")
    assert not torch.equal(trained.model.lm_head.weight, fresh.model.lm_head.weight)
    assert "validation_causal_lm" in done.stdout


@pytest.mark.slow
def test_the_figures_of_memory_are_those_of_the_models() -> None:
    assert described(list(SHAPES)) in PAGE


@pytest.mark.parametrize("size", ["nano", "small"])
def test_memory_is_made_of_its_parts(size: Size) -> None:
    held = held_by(size)
    shape = SHAPES[size]
    assert held.muon == 12 * shape.layers * shape.width**2
    assert held.state("adamw") == 16 * held.parameters == held.state("muon") + 4 * held.muon
    # In bfloat16 lie the matrices of all products, those of biases beside them.
    products = held.muon + shape.vocabulary * shape.width + 9 * shape.layers * shape.width
    assert held.fixed == pytest.approx(2 * products, rel=0.02)
    assert shape.layers * 4 * shape.context * shape.width < held.window_again < held.window


def test_tensors_without_memory_leave_what_real_ones_leave() -> None:
    model = Gpt(GPT2LMHeadModel(gpt_config(GptConfig(size="nano"), SHAPES["nano"].vocabulary, 0)))
    held = held_by("nano")
    assert [kept_by(model, windows) for windows in (2, 5)] == [held.fixed + n * held.window for n in (2, 5)]
