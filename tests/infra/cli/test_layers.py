from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from infra.cli.layers import build, given, merge, read_layer
from infra.errors import ConfigError


class Distill(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    temperature: float = Field(2.0, gt=0)


class Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    distill: Distill = Distill()


def test_a_stronger_layer_wins_field_by_field() -> None:
    weak = {"distill": {"temperature": 1, "alpha": 2}, "list": [1, 2]}
    assert merge([weak, {"distill": {"temperature": 3}, "list": [9]}]) == {
        "distill": {"temperature": 3, "alpha": 2},
        "list": [9],
    }


def test_an_unknown_field_is_answered_with_the_closest_one() -> None:
    with pytest.raises(
        ConfigError, match=r"distill\.temprature is not a field: did you mean 'temperature'\?"
    ):
        build(Asked, {"distill": {"temprature": 3}})


def test_an_unknown_section_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"zzz is not a field: known here: distill"):
        build(Asked, {"zzz": {}})


def test_a_value_out_of_bounds_names_field_value_and_bound() -> None:
    with pytest.raises(ConfigError, match=r"distill\.temperature is 0: input should be greater than 0"):
        build(Asked, {"distill": {"temperature": 0}})


@pytest.mark.parametrize(
    ("text", "said"), [("a: [1", "is not YAML"), ("- a\n- b", "holds a list"), ("1: 2", "holds a dict")]
)
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_layer(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
        read_layer(tmp_path / "absent.yaml")


def test_an_empty_recipe_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("# nothing\n")
    assert build(Asked, read_layer(path)) == Asked()


class Curate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    near: float | None = Field(0.95, description="null keeps both")
    rows: int | None = None
    parameters: dict[str, int] = {}


class Whole(Asked):
    curate: Curate = Curate()


def test_null_is_not_given() -> None:
    said = {"distill": None, "curate": {"rows": None, "parameters": {"a": None, "b": 1}}}
    assert given(Whole, said) == {"curate": {"parameters": {"b": 1}}}
    assert build(Whole, said) == build(Whole, {"curate": {"parameters": {"b": 1}}})


def test_null_is_a_value_where_it_means_something_of_its_own() -> None:
    assert given(Whole, {"curate": {"near": None}}) == {"curate": {"near": None}}
    assert build(Whole, {"curate": {"near": None}}).curate.near is None


def test_a_null_under_a_wrong_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"distil is not a field: did you mean 'distill'\?"):
        build(Whole, {"distil": None})


def test_a_section_that_is_a_model_is_given_whole() -> None:
    assert given(Whole, {"distill": Distill()}) == {"distill": {"temperature": 2.0}}
