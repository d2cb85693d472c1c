"""One step is one step, however it is cut: micro-batches and processes give the gradient of the whole batch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tasks.training.config import LoopConfig
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.objective import Draw
from tests.tasks.compression.objectives import OBJECTIVES, ROWS, Shown, Task
from tests.tasks.training.killing import run_together
from tests.tasks.training.several import free_port, join

# No clipping, whose factor would be one more thing to compare.
CONFIG = LoopConfig(steps=1, batch_size=ROWS, mixed_precision="no", gradient_norm=1e9)


def gradients(task: Task, folder: Path, micro_batch_size: int | None) -> dict[str, torch.Tensor]:
    """What the optimizer is given in the first step, by parameter."""
    found: dict[str, torch.Tensor] = {}

    def look(optimizer: object, args: object, kwargs: object) -> None:
        wanted = task.model.named_parameters()
        found.update({name: value.grad.clone() for name, value in wanted if value.grad is not None})

    config = CONFIG.model_copy(update={"micro_batch_size": micro_batch_size})
    hook = register_optimizer_step_pre_hook(look)
    try:
        fit(
            task.model, task.objective, task.sampler, config, lambda model: Evaluated(0.0, {}), folder, silent
        )
    finally:
        hook.remove()
    return found


def shown(objective: Shown) -> dict[str, torch.Tensor]:
    """`rows` [rows, 2, length] are what the model was shown and its labels; `sizes` says of how many each part was."""
    parts = [torch.stack(batch, dim=1) for batch in objective.batches]
    return {"rows": torch.cat(parts), "sizes": torch.tensor([len(part) for part in parts])}


def silent(metrics: object, step: int) -> None:
    """An observer that looks away."""


def write_as_one_of_two(process: int, port: int, folder: Path) -> None:
    """The gradients of every objective, as one of two processes with two micro-batches each."""
    join(process, 2, port)
    for name, make in OBJECTIVES.items():
        task = make()
        found = gradients(task, folder / f"{name}-work", 4)  # 8 and 7 rows, in parts of 4, 4 and 4, 3
        save_file(found, folder / f"{name}-{process}")
        if isinstance(task.objective, Shown):
            save_file(shown(task.objective), folder / f"{name}-shown-{process}")
    torch.distributed.destroy_process_group()


def assert_equal(found: dict[str, torch.Tensor], whole: dict[str, torch.Tensor]) -> None:
    """To a hundred-thousandth of the largest entry of each parameter's gradient."""
    assert found.keys() == whole.keys() and whole
    assert any(value.abs().max() > 1e-3 for value in whole.values())
    # Some, such as that of a key's bias, are nothing but rounding.
    least = 1e-2 * max(value.abs().max().item() for value in whole.values())
    for name, value in whole.items():
        assert (found[name] - value).abs().max() <= 1e-5 * max(value.abs().max().item(), least), name


@pytest.mark.parametrize("name", OBJECTIVES)
def test_four_micro_batches_give_the_gradient_of_the_whole_batch(tmp_path: Path, name: str) -> None:
    whole = gradients(OBJECTIVES[name](), tmp_path / "whole", None)
    assert_equal(gradients(OBJECTIVES[name](), tmp_path / "parts", 4), whole)


@pytest.mark.slow
def test_two_processes_of_two_micro_batches_give_it_too(tmp_path: Path) -> None:
    port = free_port()
    calls = [(write_as_one_of_two, (process, port, tmp_path)) for process in range(2)]
    assert run_together(calls) == [0, 0]
    for name, make in OBJECTIVES.items():
        task = make()
        whole = gradients(task, tmp_path / f"{name}-whole", None)
        for process in range(2):
            assert_equal(load_file(tmp_path / f"{name}-{process}"), whole)
        if isinstance(task.objective, Shown):
            parts = [load_file(tmp_path / f"{name}-shown-{process}") for process in range(2)]
            assert [part["sizes"].tolist() for part in parts] == [[4, 4], [4, 3]]
            together = torch.cat([part["rows"] for part in parts])
            assert sorted(together.tolist()) == sorted(shown(task.objective)["rows"].tolist())


def test_what_is_told_of_a_term_is_its_mean_however_the_step_is_cut(tmp_path: Path) -> None:
    told: list[Mapping[str, float]] = []
    for size in (None, 4):
        task = OBJECTIVES["distillation"]()
        config = CONFIG.model_copy(update={"micro_batch_size": size})
        watch = lambda metrics, step: told.append(metrics) if "train_kl" in metrics else None  # noqa: E731
        fit(
            task.model,
            task.objective,
            task.sampler,
            config,
            lambda model: Evaluated(0.0, {}),
            tmp_path / str(size),
            watch,
        )
    whole, cut = told
    assert {name: cut[name] for name in cut if name.startswith("train_")} == pytest.approx(
        {name: whole[name] for name in whole if name.startswith("train_")}, rel=1e-5
    )
    task = OBJECTIVES["distillation"]()
    batch = task.objective.batch(np.arange(ROWS), Draw(0, 0))
    logits = task.model(batch.input_ids, batch.attention_mask).logits
    # A mean over the rows that have a label: it can be laid beside the validation's.
    assert whole["train_cross_entropy"] == pytest.approx(
        cross_entropy(logits, batch.labels, ignore_index=-1).item(), rel=1e-5
    )
