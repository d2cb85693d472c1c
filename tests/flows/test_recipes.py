"""Every recipe that comes along says whose it is, and is taken by that flow; a default one needs nothing else."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from flows.configs.adapt import AdaptFlowConfig
from flows.configs.compress import CompressFlowConfig
from flows.configs.data import DataFlowConfig
from flows.configs.distill_lm import DistillLmFlowConfig
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import RECIPES
from flows.configs.pretrain import PretrainFlowConfig
from infra.cli.layers import build, read_recipe

CONFIGS: dict[str, type[BaseModel]] = {
    "adapt": AdaptFlowConfig,
    "pretrain": PretrainFlowConfig,
    "compress": CompressFlowConfig,
    "data": DataFlowConfig,
    "distill_lm": DistillLmFlowConfig,
    "end_to_end": EndToEndConfig,
}
EVERY = sorted(RECIPES.glob("*/*.yaml"))


@pytest.mark.parametrize("path", EVERY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_says_its_flow_and_is_taken_by_it(path: Path) -> None:
    flow = path.parent.name
    assert yaml.safe_load(path.read_text())["flow"] == flow
    build(CONFIGS[flow], read_recipe(path, flow))


def test_every_folder_of_recipes_is_a_flows() -> None:
    assert {path.parent.name for path in EVERY} == CONFIGS.keys()


@pytest.mark.parametrize("config", CONFIGS.values())
def test_what_a_flow_runs_when_nothing_is_given_comes_along(config: type[BaseModel]) -> None:
    extract = config.model_validate({}).extract  # type: ignore[attr-defined]
    assert extract.query.is_file()
    assert all(Path(table).is_dir() and RECIPES in Path(table).parents for table in extract.table)


def test_the_search_begins_with_the_model_that_end_to_end_makes() -> None:
    shared = EndToEndConfig().model_dump(exclude={"recipe", "name"})
    assert {
        name: value for name, value in CompressFlowConfig().model_dump().items() if name in shared
    } == shared
