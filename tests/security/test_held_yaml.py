"""What the review tried on recipes and found holding: a recipe gives values to fields, and does nothing else."""

from pathlib import Path

import pytest

from flows.configs.data import DataFlowConfig
from infra.cli.layers import build, read_layer
from infra.errors import ConfigError


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.mkdir [{folder}/made]",
        "!!python/object/new:os.mkdir [{folder}/made]",
        "!!python/name:os.mkdir",
        "!!python/module:os",
        "!!python/object:infra.settings.Settings {{}}",
        "!include {folder}/private.txt",
        "!ENV HOME",
    ],
)
def test_a_tag_that_makes_objects_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "recipe.yaml").write_text(f"extract:\n  query: {value.format(folder=tmp_path)}\n")
    with pytest.raises(ConfigError, match=r"recipe\.yaml is not YAML"):
        read_layer(tmp_path / "recipe.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "settings: {home: /elsewhere}",
        "extract: {__class__: x}",
        "extract: {model_config: {extra: allow}}",
        "__init__: {x: 1}",
        "hub_token: x",
    ],
)
def test_a_recipe_reaches_fields_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError, match="is not a field"):
        build(DataFlowConfig, read_layer(tmp_path / "recipe.yaml"))


@pytest.mark.parametrize("name", ["../../x", "a/..", "a/..b", "/etc/x", "a/b/c"])
def test_the_name_of_what_is_published_is_no_path(name: str) -> None:
    with pytest.raises(ConfigError, match=r"publish\.name is"):
        build(DataFlowConfig, {"publish": {"name": name}})
