"""Blocks' mean vectors are kept near those of the model before, and averaged weights lie between two models."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from infra.errors import ConfigError
from tasks.models.loading import quiet_transformers
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.average import average
from tasks.training.masked_lm.config import AverageConfig
from tasks.training.masked_lm.keep import KeepingObjective
from tests.tasks.models.tiny_encoder import tiny_tokenizer
from tests.tasks.training.masked_lm.toy import objective_of, random_blocks, tiny_model

ROWS = np.arange(6)


def keeping(before: MaskedLanguageModel, rate: float = 0.15) -> KeepingObjective:
    return KeepingObjective(objective_of(random_blocks(), rate=rate), before, 5.0)


def test_what_is_kept_is_the_mean_vector_that_the_model_before_has_of_the_whole_block() -> None:
    before, now = tiny_model(0).eval(), tiny_model(1).eval()
    objective = keeping(before, 0.5)
    batch = objective.batch(ROWS, Draw(0, 0))
    term = objective.loss(now, batch)["keep"]
    with torch.no_grad():
        whole = torch.from_numpy(random_blocks().ids[ROWS])
        wanted = before.body(whole).last_hidden_state.mean(dim=1)
        found = now.body(batch.input_ids).last_hidden_state.mean(dim=1)
    cosines = torch.nn.functional.cosine_similarity(found, wanted)
    assert term.total.item() == pytest.approx((1 - cosines).sum().item(), rel=1e-5)
    assert term.coefficient == 5.0
    assert objective.weight(batch)["keep"] == len(ROWS)


def test_the_masks_cost_what_they_cost_without_it_and_the_model_before_does_not_learn() -> None:
    before, now = tiny_model(0), tiny_model(1)
    objective = keeping(before)
    batch = objective.batch(ROWS, Draw(0, 0))
    terms = objective.loss(now, batch)
    plain = super(KeepingObjective, objective).loss(now, batch)
    assert terms["masked_lm"].total.item() == pytest.approx(plain["masked_lm"].total.item(), rel=1e-6)
    (terms["masked_lm"].total + terms["keep"].total).backward()
    assert all(value.grad is None for value in before.parameters())
    assert not before.training


def test_averaged_weights_lie_between_and_the_folder_opens(tmp_path: Path) -> None:
    models = {"before": tiny_model(0), "after": tiny_model(1)}
    for name, model in models.items():
        model.save(tmp_path / name, tiny_tokenizer())
    average(AverageConfig(share=0.25), tmp_path / "before", tmp_path / "after", tmp_path / "between")
    found = MaskedLanguageModel.load(tmp_path / "between").state_dict()
    before, after = (model.state_dict() for model in models.values())
    for name, value in found.items():
        torch.testing.assert_close(value, 0.75 * before[name] + 0.25 * after[name])


def test_a_model_from_elsewhere_is_averaged_however_its_files_are(
    tmp_path: Path,
) -> None:
    """As bases of the Hub lie: half precision, several files, other names than transformers writes today."""
    before, after = tiny_model(0), tiny_model(1)
    before.model.to(torch.bfloat16)
    with quiet_transformers():
        before.model.save_pretrained(tmp_path / "before", max_shard_size="20KB")
    after.save(tmp_path / "after", tiny_tokenizer())
    files = [*(tmp_path / "before").glob("*.safetensors")]
    assert len(files) > 1
    for path in (*files, tmp_path / "before" / "model.safetensors.index.json"):
        if path.suffix == ".json":
            path.write_text(path.read_text().replace("LayerNorm.weight", "LayerNorm.gamma"))
            continue
        weights = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma"): value
            for name, value in load_file(path).items()
        }
        save_file(weights, path, metadata={"format": "pt"})
    average(AverageConfig(share=0.5), tmp_path / "before", tmp_path / "after", tmp_path / "between")
    found, learned = MaskedLanguageModel.load(tmp_path / "between").state_dict(), after.state_dict()
    for name, value in before.model.float().state_dict().items():
        torch.testing.assert_close(found[f"model.{name}"], (value + learned[f"model.{name}"]) / 2)


def test_models_of_two_shapes_have_nothing_between_them(tmp_path: Path) -> None:
    tiny_model(0).save(tmp_path / "before", tiny_tokenizer())
    tiny_model(0, num_hidden_layers=1).save(tmp_path / "after", tiny_tokenizer())
    with pytest.raises(ConfigError, match="expected two states of one model"):
        average(AverageConfig(), tmp_path / "before", tmp_path / "after", tmp_path / "between")
