"""What `flows.data` takes: its own sections, and the recipes of flows that go on to a model."""

from pathlib import Path

import pytest

from flows.config import RECIPES, DataFlowConfig, EndToEndConfig
from infra.cli.layers import build, merge, read_layer
from infra.errors import ConfigError


def recipe(name: str) -> DataFlowConfig:
    return build(DataFlowConfig, read_layer(RECIPES / f"{name}.yaml"))


def test_nothing_asked_is_the_default_recipe() -> None:
    config = DataFlowConfig()
    assert config.publish.name == "local/clinc150-intents"
    assert config.dataset.out_of_scope_label == "oos"
    assert config.extract.kind == "labelled"


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_is_taken_as_far_as_this_flow_goes(name: str) -> None:
    assert recipe(name).publish.title


def test_the_recipe_for_code_names_its_query_and_no_table() -> None:
    config = recipe("github_python")
    assert (config.extract.kind, config.extract.table) == ("code", ())
    assert config.extract.query is not None and config.extract.query.is_file()
    smoke = build(
        DataFlowConfig, merge([read_layer(RECIPES / f"{name}.yaml") for name in ("smoke", "github_python")])
    )
    assert smoke.extract.parameters == {"sample_percent": 8}


def test_a_section_that_no_flow_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="publsh is not a field: did you mean 'publish'"):
        build(DataFlowConfig, {"publsh": {}})


def test_code_is_refused_where_labels_are_needed() -> None:
    with pytest.raises(ConfigError, match=r"files of code have no labels.*flows\.data"):
        build(EndToEndConfig, {"extract": {"kind": "code", "query": str(Path("a.sql"))}})
