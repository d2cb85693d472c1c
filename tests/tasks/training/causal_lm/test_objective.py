"""What causal language modelling costs, what moves by what, and that a step is the same however it is cut."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tasks.formats.packed_corpus import TRAIN, open_part, read_packed_corpus
from tasks.formats.token_blocks import Windows
from tasks.models.gpt.cost import IGNORED
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.objective import CausalLmBatch, CausalLmObjective, asked_of
from tasks.training.config import LoopConfig
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.objective import Draw, OptimizerKind
from tasks.training.loop.sampler import Shuffled
from tests.tasks.models.gpt.tiny import differences, gradients
from tests.tasks.training.causal_lm.tiny_code import CONTEXT, write_code
from tests.tasks.training.killing import Training
from tests.tasks.training.lesson import silent

CLOSE = 1e-5
DRAW = Draw(0, 0)


class Given(NamedTuple):
    """Training windows, ids that are never asked for, and where model and tokens lie."""

    windows: Windows
    unasked: np.ndarray
    folders: dict[str, Path]

    @property
    def model(self) -> Gpt:
        return Gpt.load(self.folders["model_dir"]).train()

    def objective(self, **changed: object) -> CausalLmObjective:
        return CausalLmObjective(self.windows, self.unasked, **changed)  # type: ignore[arg-type]


def read(folders: dict[str, Path]) -> Given:
    tokens = folders["tokens_dir"]
    windows = open_part(tokens, TRAIN).windows(CONTEXT)
    return Given(windows, read_packed_corpus(tokens).quality_ids, folders)


@pytest.fixture(scope="module")
def given_code(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return read(write_code(tmp_path_factory.mktemp("code")))


def total(objective: CausalLmObjective, model: Gpt, batch: CausalLmBatch) -> torch.Tensor:
    (term,) = objective.loss(model, batch).values()
    return term.total


def test_the_loss_is_that_of_transformers_on_one_batch(given_code: Given) -> None:
    model, objective = given_code.model, given_code.objective()
    batch = objective.batch(np.arange(6), DRAW)
    logits = model.model(batch.input_ids).logits.flatten(0, 1)
    theirs = torch.nn.functional.cross_entropy(logits, batch.labels.flatten(), ignore_index=IGNORED)
    ours = total(objective, model, batch) / objective.weight(batch)["causal_lm"]
    assert ours.item() == pytest.approx(theirs.item(), rel=CLOSE)


def test_what_is_read_is_the_window_and_quality_is_never_asked_for(given_code: Given) -> None:
    objective, rows = given_code.objective(), np.arange(len(given_code.windows))
    batch, ids = objective.batch(rows, DRAW), given_code.windows[rows]
    assert batch.input_ids.tolist() == ids[:, :-1].tolist()
    qualities = np.isin(ids[:, 1:], given_code.unasked)
    assert qualities.sum() >= 4 and (batch.labels.numpy()[qualities] == IGNORED).all()
    assert batch.labels.numpy()[~qualities].tolist() == ids[:, 1:][~qualities].tolist()
    assert objective.weight(batch) == {"causal_lm": (~qualities).sum()}
    assert np.isin(batch.input_ids, given_code.unasked).any()  # it is read


def test_tokens_read_nothing_of_other_files_where_that_is_asked(given_code: Given) -> None:
    model, apart, together = (
        given_code.model,
        given_code.objective(within_documents=True),
        given_code.objective(),
    )
    of = given_code.windows.documents(np.arange(len(given_code.windows)))[:, :-1]
    (number, *_), first = np.unique(np.nonzero(np.diff(of))[0]), np.diff(of).argmax(axis=1) + 1
    batch = apart.batch(np.array([number]), DRAW)
    changed = batch.input_ids.clone()
    changed[0, : first[number]] = 7
    with torch.no_grad():
        costs = [
            model(ids, batch.labels, batch.documents, each=True)[0, first[number] :]
            for ids in (batch.input_ids, changed)
        ]
        assert torch.equal(*costs)
        whole = together.batch(np.array([number]), DRAW)
        assert total(apart, model, batch) != total(together, model, whole)


def test_a_batch_that_asks_for_nothing_costs_nothing_and_moves_nothing(given_code: Given) -> None:
    model, objective = given_code.model, given_code.objective()
    batch = objective.batch(np.arange(2), DRAW)
    empty = batch._replace(labels=torch.full_like(batch.labels, IGNORED))
    assert objective.weight(empty) == {"causal_lm": 0}
    cost = total(objective, model, empty)
    cost.backward()
    assert cost.item() == 0.0 and all(value.abs().max() == 0 for value in gradients(model).values())


def test_labels_are_the_tokens_behind_and_the_windows_stay_as_they_were() -> None:
    ids = np.array([[5, 1, 6, 7], [7, 8, 2, 3]])
    read, asked = asked_of(ids, np.array([1, 2, 3]))
    assert read.tolist() == [[5, 1, 6], [7, 8, 2]] and asked.tolist() == [
        [IGNORED, 6, 7],
        [8, IGNORED, IGNORED],
    ]
    assert ids.tolist() == [[5, 1, 6, 7], [7, 8, 2, 3]] and not np.shares_memory(read, ids)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_every_parameter_learns_once_and_only_layers_matrices_by_muon(
    given_code: Given, optimizer: OptimizerKind
) -> None:
    model = given_code.model
    groups = given_code.objective(optimizer=optimizer).groups(model)
    of = {id(value): group for group in groups for value in group.parameters}
    assert sum(len(group.parameters) for group in groups) == len(of) == len([*model.parameters()])
    by_muon = [name for name, value in model.named_parameters() if of[id(value)].optimizer == "muon"]
    four = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    layers = [f"model.transformer.h.{layer}.{name}.weight" for layer in range(2) for name in four]
    assert by_muon == (layers if optimizer == "muon" else [])
    for name, value in model.named_parameters():
        assert of[id(value)].decay == (value.ndim > 1), name


def test_saved_memory_gives_the_same_gradient(given_code: Given) -> None:
    model, objective = given_code.model, given_code.objective()
    batch = objective.batch(np.arange(8), DRAW)
    total(objective, model, batch).backward()
    plain = gradients(model)
    objective.save_memory(model)
    assert model.computes_again
    total(objective, model, batch).backward()
    assert max(differences(gradients(model), plain).values()) < CLOSE


def test_two_micro_batches_give_the_gradient_of_the_whole_batch(given_code: Given) -> None:
    model, objective = given_code.model, given_code.objective()
    rows = np.arange(16)
    whole = objective.batch(rows, DRAW)
    (total(objective, model, whole) / objective.weight(whole)["causal_lm"]).backward()
    expected = gradients(model)
    parts = [objective.batch(part, DRAW) for part in (rows[:5], rows[5:])]
    asked = [objective.weight(part)["causal_lm"] for part in parts]
    for part in parts:
        (total(objective, model, part) / sum(asked)).backward()
    found = gradients(model)
    assert found.keys() == dict(model.named_parameters()).keys()
    assert max(differences(found, expected).values()) < CLOSE


# One step of the loop itself. AdamW's first moment after it is a tenth of the gradient, and lies in the checkpoint.
ONE_STEP = LoopConfig(
    steps=1,
    batch_size=12,
    learning_rate=1e-3,
    gradient_norm=1e9,
    checkpoint_every=1,
    checkpoint_share=1,
    mixed_precision="no",
)


def one_step(folders: dict[str, Path], micro: int | None, folder: Path, process: int = 0) -> None:
    """Of this process or of all together."""
    given, config = read(folders), ONE_STEP.model_copy(update={"micro_batch_size": micro})
    sampler = Shuffled(len(given.windows), config.batch_size, config.seed)
    fit(
        given.model, given.objective(), sampler, config, lambda _: Evaluated(0.0, {}), folder / "work", silent
    )


def gradient_of_step(folder: Path) -> dict[str, torch.Tensor]:
    tensors = load_file(folder / "work" / "step-00000001" / "tensors.safetensors")
    return {name: 10 * value for name, value in tensors.items() if name.endswith(".exp_avg")}


@pytest.fixture(scope="module")
def whole_step(given_code: Given, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("whole")
    one_step(given_code.folders, None, folder)
    return gradient_of_step(folder)


def test_a_step_in_micro_batches_has_the_gradient_of_the_whole_one(
    given_code: Given, whole_step: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    assert len(whole_step) == len([*given_code.model.parameters()])
    one_step(given_code.folders, 5, tmp_path)
    assert max(differences(gradient_of_step(tmp_path), whole_step).values()) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("micro", [None, 4])
def test_two_processes_have_the_gradient_of_the_whole_step(
    given_code: Given, whole_step: dict[str, torch.Tensor], micro: int | None, tmp_path: Path
) -> None:
    training = Training(partial(one_step, given_code.folders, micro), tmp_path, processes=2)
    assert training.end() == [0, 0]
    assert max(differences(gradient_of_step(tmp_path), whole_step).values()) < CLOSE
