"""What `flows.data` takes: its own sections, and configs of flows that go on to a model."""

from pathlib import Path

import pytest

from flows.configs.data import DataFlowConfig
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import RECIPES
from infra.cli.layers import build, merge, read_layer, read_recipe
from infra.errors import ConfigError


def recipe(name: str) -> DataFlowConfig:
    return DataFlowConfig(recipe=name)


def test_nothing_asked_is_the_default_recipe() -> None:
    config = DataFlowConfig()
    assert config == recipe("clinc150")
    assert config.publish.name == "local/clinc150-intents"
    assert config.dataset.out_of_scope_label == "oos"
    assert config.extract.kind == "labelled"


def test_a_config_of_a_flow_that_goes_on_is_taken_as_far_as_this_one_goes() -> None:
    layer = read_layer(RECIPES / "end_to_end" / "own_table.yaml")
    del layer["flow"]
    assert build(DataFlowConfig, layer).publish.name == "local/my-tickets"


def test_the_recipe_for_code_names_its_query_and_no_table() -> None:
    config = recipe("github_python")
    assert (config.extract.kind, config.extract.table) == ("code", ())
    assert config.extract.query is not None and config.extract.query.is_file()
    both = [read_recipe(RECIPES / "data" / f"{name}.yaml", "data") for name in ("smoke", "github_python")]
    assert build(DataFlowConfig, merge(both)).extract.parameters == {"sample_percent": 8}


def test_a_section_that_no_flow_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="publsh is not a field: did you mean 'publish'"):
        build(DataFlowConfig, {"publsh": {}})


def test_code_is_refused_where_labels_are_needed() -> None:
    with pytest.raises(ConfigError, match=r"files of code have no labels.*stillhouse run data"):
        build(EndToEndConfig, {"extract": {"kind": "code", "query": str(Path("a.sql"))}})
