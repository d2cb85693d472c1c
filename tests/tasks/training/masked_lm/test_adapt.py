"""A tiny encoder without a head, from packed text to an adapted model: it learns, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigError, DataError
from tasks.formats.frozen_masks import read_frozen
from tasks.formats.token_shards import TokenShards
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.adapt import adapt, freeze_lower
from tasks.training.masked_lm.config import AdaptConfig, FrozenConfig
from tasks.training.masked_lm.freeze import Pieces, freeze_splits
from tasks.training.masked_lm.frozen import perplexity
from tests.tasks.training.lesson import silent
from tests.tasks.training.masked_lm.tiny_text import write_text

ADAPT = AdaptConfig(
    epochs=None, steps=200, batch_size=16, learning_rate=3e-3, optimizer="adamw", mixed_precision="no"
)


@pytest.fixture(scope="module")
def given_text(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_text(tmp_path_factory.mktemp("text"))


def adapted(given_text: dict[str, Path], folder: Path, config: AdaptConfig = ADAPT) -> dict[str, float]:
    named = {name: path for name, path in given_text.items() if name != "encoder"}
    return dict(adapt(config, **named, output_dir=folder / "out", work_dir=folder / "work", log=silent))


def test_the_head_is_trained_while_the_encoder_stays(given_text: dict[str, Path]) -> None:
    before = MaskedLanguageModel.load(given_text["encoder"], np.ones(10, dtype=np.int64)).body
    after = MaskedLanguageModel.load(given_text["base_dir"]).body
    assert all(torch.equal(value, after.get_parameter(name)) for name, value in before.named_parameters())


def test_adapting_lowers_the_perplexity_to_the_same_bytes_each_time(
    given_text: dict[str, Path], tmp_path: Path
) -> None:
    first, second = adapted(given_text, tmp_path / "a"), adapted(given_text, tmp_path / "b")
    assert first == second and first["steps"] == 200
    before = perplexity(
        MaskedLanguageModel.load(given_text["base_dir"]),
        read_frozen(given_text["frozen_dir"] / "validation"),
        FrozenConfig(),
    )
    assert first["validation_perplexity"] < 0.95 * before
    assert first["last_perplexity"] >= first["validation_perplexity"]
    files = [(tmp_path / name / "out" / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_frozen_layers_stay_and_more_than_there_are_is_refused(
    given_text: dict[str, Path], tmp_path: Path
) -> None:
    adapted(given_text, tmp_path, ADAPT.model_copy(update={"freeze_layers": 1, "steps": 5}))
    before = MaskedLanguageModel.load(given_text["base_dir"]).body.state_dict()
    after = MaskedLanguageModel.load(tmp_path / "out").body.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith(("embeddings.", "encoder.layer.0."))} <= kept
    with pytest.raises(ConfigError, match="expected at most the model's"):
        freeze_lower(MaskedLanguageModel.load(given_text["base_dir"]), 99)


def test_rows_of_few_documents_are_their_pieces(given_text: dict[str, Path], tmp_path: Path) -> None:
    frozen = read_frozen(given_text["frozen_dir"])
    assert frozen.input_ids.shape[1] == 16 and len(frozen.input_ids) <= 30
    with pytest.raises(DataError, match="no validation split"):
        freeze_splits(FrozenConfig(), tmp_without(given_text["packed_dir"], tmp_path), tmp_path / "out")


def tmp_without(packed: Path, folder: Path) -> Path:
    """The packed text with its training split alone."""
    (folder / "packed").mkdir()
    for name in ("train", "report.json"):
        (folder / "packed" / name).symlink_to(packed / name)
    return folder / "packed"


@given(st.lists(st.lists(st.integers(0, 99), max_size=20), min_size=1, max_size=8), st.integers(1, 7))
def test_pieces_are_the_documents_cut_and_nothing_else(rows: list[list[int]], length: int) -> None:
    pieces = Pieces(TokenShards.of(rows), length)
    cut = [row[start : start + length] for row in rows for start in range(0, len(row), length)]
    assert [list(piece) for piece in pieces] == cut and len(pieces) == len(cut)
