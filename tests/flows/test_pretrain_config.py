"""What `flows.pretrain` makes of a size, and what it passes on of a recipe."""

from pathlib import Path

import pytest
import yaml

from flows.configs.pretrain import PretrainFlowConfig
from tasks.models.gpt.config import SHAPES


@pytest.mark.parametrize("size", SHAPES)
def test_one_dial_sets_vocabulary_shape_and_training(size: str) -> None:
    config = PretrainFlowConfig.model_validate({"size": size})
    assert config.model.size == size
    assert config.tokenizer.vocabulary_size == SHAPES[config.model.size].vocabulary
    assert config.model.shape == SHAPES[config.model.size]


def test_what_is_said_is_stronger_than_the_size_and_a_recipe_too() -> None:
    config = PretrainFlowConfig.model_validate(
        {"size": "base", "tokenizer": {"vocabulary_size": 4096}, "pretrain": {"batch_size": 4}}
    )
    assert (config.tokenizer.vocabulary_size, config.pretrain.batch_size) == (4096, 4)
    assert config.pretrain.micro_batch_size == 12  # the size's own
    smoke = PretrainFlowConfig.model_validate({"recipe": "smoke"})
    assert (smoke.size, smoke.tokenizer.vocabulary_size, smoke.pretrain.steps) == ("nano", 1024, 20)


def test_the_recipe_that_goes_along_with_a_model_names_files_and_no_folders(tmp_path: Path) -> None:
    table = tmp_path / "files.jsonl"
    config = PretrainFlowConfig.model_validate(
        {"extract": {"table": [str(table)], "query": str(tmp_path / "q.sql")}, "code": {"file_share": 0.1}}
    )
    told = yaml.safe_load(config.shared_recipe)
    assert told["extract"]["table"] == ["files.jsonl"] and told["extract"]["query"] == "q.sql"
    assert str(tmp_path) not in config.shared_recipe and told["flow"] == "pretrain"
