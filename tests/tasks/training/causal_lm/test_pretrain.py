"""A tiny model learns to write as a few files do, to the same bytes however often it was broken off."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from infra.errors import ConfigError, DataError
from infra.files import folder_digest
from tasks.formats.milestones import milestones_of
from tasks.formats.packed_corpus import TRAIN, VALIDATION, open_part, read_packed_corpus
from tasks.models.gpt.fresh import fresh_gpt
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.causal_lm.measure import cost_of_text
from tasks.training.causal_lm.pretrain import pretrain
from tasks.training.causal_lm.speed import Speed, flops_per_token
from tasks.training.causal_lm.stages import fresh_weights
from tasks.training.causal_lm.stages import pretrain as stage
from tests.tasks.models.gpt.tiny import tiny_gpt
from tests.tasks.models.tiny_causal_lm import tiny_code_tokenizer
from tests.tasks.sections import facts_of, shown
from tests.tasks.training.causal_lm.tiny_code import CONTEXT, FILES, MODEL, write_code
from tests.tasks.training.lesson import silent

STEPS, EVERY = 40, 10
CONFIG = PretrainConfig(
    epochs=None, steps=STEPS, batch_size=16, learning_rate=2e-2, evaluate_every=EVERY, checkpoint_every=7,
    checkpoint_share=1.0, milestone_every=2, mixed_precision="no",
)  # fmt: skip
Told = list[tuple[int, dict[str, float]]]


class Trained(NamedTuple):
    """What a whole training came to, what it told, and where it lies."""

    metrics: Mapping[str, float]
    told: Told
    folder: Path


@pytest.fixture(scope="module")
def given_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_code(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def trained(given_code: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, told = tmp_path_factory.mktemp("trained"), Told()

    def log(metrics: Mapping[str, float], step: int) -> None:
        told.append((step, dict(metrics)))

    metrics = pretrain(CONFIG, **given_code, output_dir=folder / "out", work_dir=folder / "work", log=log)
    return Trained(metrics, told, folder / "out")


def curve(told: Told, name: str) -> list[float]:
    return [metrics[name] for _, metrics in told if name in metrics]


def test_bits_a_byte_fall_and_the_best_weights_are_kept(
    trained: Trained, given_code: dict[str, Path]
) -> None:
    bits = curve(trained.told, "validation_bits_per_byte")
    assert len(bits) == 1 + STEPS // EVERY and trained.metrics["validation_bits_per_byte"] == min(bits)
    assert min(bits) < 0.8 * bits[0]
    assert trained.metrics["last_bits_per_byte"] == bits[-1]
    losses = curve(trained.told, "train_causal_lm")
    assert losses[-1] < losses[0]
    assert trained.metrics["steps"] == STEPS and trained.metrics["tokens"] == STEPS * 16 * CONTEXT
    # What is written is what was measured. (The part's last tokens, less than a window, are not in the windows.)
    tokens = given_code["tokens_dir"]
    corpus, part = read_packed_corpus(tokens), open_part(tokens, VALIDATION)
    whole = cost_of_text(Gpt.load(trained.folder), part, corpus.quality_ids)
    measured = whole.bits_per_byte(corpus.parts[VALIDATION].bytes)
    assert measured == pytest.approx(trained.metrics["validation_bits_per_byte"], rel=0.05)


def test_steps_tell_their_tokens_and_how_much_of_the_machine_they_use(trained: Trained) -> None:
    steps = [metrics for _, metrics in trained.told if "train_loss" in metrics]
    assert [step for step, metrics in trained.told if "train_loss" in metrics] == [10, 20, 30, 40]
    for told in steps:
        assert told["tokens_per_second"] == told["rows_per_second"] * CONTEXT > 0
        assert 0 < told["utilisation"] < 1.5
    assert {"gradient_norm", "learning_rate", "memory_mib", "progress"} <= steps[0].keys()
    evaluations = [metrics for _, metrics in trained.told if "validation_causal_lm" in metrics]
    assert len(evaluations) == 5 and not any("utilisation" in metrics for metrics in evaluations)


def test_what_is_not_of_a_step_passes_as_it_is() -> None:
    told: Told = []
    Speed(tiny_gpt(), lambda metrics, step: told.append((step, dict(metrics))))({"epoch": 1.0}, 7)
    assert told == [(7, {"epoch": 1.0})]


def test_a_token_s_operations_are_six_a_parameter_and_those_of_attention() -> None:
    model = tiny_gpt()
    positions = model.model.transformer.wpe.weight.numel()
    assert flops_per_token(model) == 6 * (model.parameter_count - positions) + 12 * 2 * 16 * model.context


def test_milestones_are_models_on_the_way(trained: Trained) -> None:
    assert [step for step, _ in milestones_of(trained.folder)] == [20, 40]
    first, last = (Gpt.load(folder).model.lm_head.weight for _, folder in milestones_of(trained.folder))
    assert not torch.equal(first, last)
    assert torch.equal(
        last, Gpt.load(trained.folder).model.lm_head.weight
    )  # the best weights are the last ones


def test_both_stages_show_the_shape_of_the_model(
    trained: Trained, given_code: dict[str, Path], tmp_path: Path
) -> None:
    for number, (made, folder) in enumerate(
        ((fresh_weights, given_code["model_dir"]), (stage, trained.folder))
    ):
        facts = facts_of(shown(made, folder, tmp_path / str(number)))
        assert (facts["layers"], facts["tokens it reads"]) == ("2", "32")


class BrokenOff(Exception):
    """What ends a training in the middle."""


def test_a_training_that_broke_off_ends_with_the_bytes_of_one_that_did_not(
    trained: Trained, given_code: dict[str, Path], tmp_path: Path
) -> None:
    def train(until: int | None) -> Mapping[str, float]:
        def log(metrics: Mapping[str, float], step: int) -> None:
            if step == until:
                raise BrokenOff

        return pretrain(
            CONFIG, **given_code, output_dir=tmp_path / "out", work_dir=tmp_path / "work", log=log
        )

    for step in (10, 30):  # before what was evaluated there is on the disk
        with pytest.raises(BrokenOff):
            train(step)
    newest = max(path.name for path in (tmp_path / "work").glob("step-*"))
    assert newest == "step-00000028"
    assert train(None) == trained.metrics
    assert folder_digest(tmp_path / "out") == folder_digest(trained.folder)


def refused(config: PretrainConfig, given_code: dict[str, Path], folder: Path) -> None:
    pretrain(config, **given_code, output_dir=folder / "out", work_dir=folder / "work", log=silent)


def test_tokens_of_another_tokenizer_are_refused(given_code: dict[str, Path], tmp_path: Path) -> None:
    tiny_code_tokenizer().save_pretrained(tmp_path / "tokenizer")
    fresh_gpt(MODEL, tmp_path / "tokenizer", tmp_path / "model")
    size = open_part(given_code["tokens_dir"], TRAIN).info.vocabulary.size
    with pytest.raises(ConfigError, match=f"was packed with {size} tokens and the model knows 260"):
        refused(CONFIG, {**given_code, "model_dir": tmp_path / "model"}, tmp_path)


@pytest.mark.parametrize("part", [TRAIN, VALIDATION])
def test_a_part_of_less_than_a_window_is_refused(part: str, tmp_path: Path) -> None:
    files = {name: FILES[name] for name in (TRAIN, VALIDATION)}
    code = write_code(tmp_path / "code", {**files, part: [("org/read", "x = 1\n", "low")]})
    with pytest.raises(
        DataError, match=f"the {'training' if part == TRAIN else part} part has .* expected more than 32"
    ):
        refused(CONFIG, code, tmp_path)


def test_without_a_budget_it_does_not_begin(given_code: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="epochs is not set"):
        refused(CONFIG.model_copy(update={"steps": None}), given_code, tmp_path)
