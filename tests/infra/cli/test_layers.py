from pathlib import Path

import pytest
from pydantic import Field

from infra.cli.layers import Layer, build, given, merge, read_layer, read_recipe
from infra.errors import ConfigError
from tasks.formats.asked import Asked as Base


class Distill(Base):
    temperature: float = Field(2.0, gt=0)


class Config(Base):
    distill: Distill = Distill()
    warm: Distill = Distill(temperature=9)


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
        build(Config, {"distill": {"temprature": 3}})


def test_an_unknown_section_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"zzz is not a field: known here: distill, warm"):
        build(Config, {"zzz": {}})


@pytest.mark.parametrize("nothing", [None, {}, {"temperature": None}])
def test_a_section_of_which_nothing_is_given_keeps_its_own_default(nothing: Layer | None) -> None:
    assert build(Config, {"warm": nothing}).warm.temperature == 9


def test_a_value_out_of_bounds_names_field_value_and_bound() -> None:
    with pytest.raises(ConfigError, match=r"distill\.temperature is 0: input should be greater than 0"):
        build(Config, {"distill": {"temperature": 0}})


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
    assert build(Config, read_layer(path)) == Config()


def recipe(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_recipe_lies_over_the_one_that_it_is_from(tmp_path: Path) -> None:
    recipe(tmp_path, "below.yaml", "flow: other\ndistill: {temperature: 3, text_column: below}\n")
    above = recipe(tmp_path, "above.yaml", "flow: mine\nfrom: below.yaml\ndistill: {temperature: 4}\n")
    assert read_recipe(above, "mine") == {"distill": {"temperature": 4, "text_column": "below"}}


def test_a_recipe_of_another_flow_is_refused_with_the_command_that_takes_it(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"mine\.yaml is a recipe of the flow other: expected one of mine\. Run"
    ):
        read_recipe(recipe(tmp_path, "mine.yaml", "flow: other\n"), "mine")


def test_a_recipe_is_from_one_other_alone(tmp_path: Path) -> None:
    recipe(tmp_path, "lowest.yaml", "distill: {temperature: 3}\n")
    recipe(tmp_path, "below.yaml", "from: lowest.yaml\n")
    with pytest.raises(ConfigError, match=r"which is from lowest\.yaml: expected one `from:` alone"):
        read_recipe(recipe(tmp_path, "above.yaml", "from: below.yaml\n"), "mine")


class Curate(Base):
    near: float | None = Field(0.95, description="off keeps both", json_schema_extra={"off": True})
    rows: int | None = None
    parameters: dict[str, int] = Field(default_factory=dict)


class Whole(Config):
    curate: Curate = Curate()


def test_null_is_not_given() -> None:
    said = {"distill": None, "curate": {"rows": None, "parameters": {"a": None, "b": 1}}}
    assert given(Whole, said) == {"curate": {"parameters": {"b": 1}}}
    assert build(Whole, said) == build(Whole, {"curate": {"parameters": {"b": 1}}})


def test_null_is_not_given_where_none_is_a_value_either() -> None:
    assert build(Whole, {"curate": {"near": None}}).curate.near == 0.95


@pytest.mark.parametrize("off", ["off", False])
def test_off_is_none_and_comes_back_from_json_as_off(off: object) -> None:
    made = build(Whole, {"curate": {"near": off}})
    assert made.curate.near is None
    assert made.model_dump()["curate"]["near"] == "off"
    assert (
        Whole.model_validate_json(made.model_dump_json()) == made == Whole.model_validate(made.model_dump())
    )


def test_a_null_under_a_wrong_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"distil is not a field: did you mean 'distill'\?"):
        build(Whole, {"distil": None})


def test_a_section_that_is_a_model_is_given_whole() -> None:
    assert given(Whole, {"distill": Distill()}) == {"distill": {"temperature": 2.0}}


def test_where_a_value_is_from_falls_with_the_value() -> None:
    recipe: Layer = {"expected_share": 0.18, "expected_share_source": "the recipe's", "recipe": "a"}
    assert merge([recipe, {"recipe": "b"}])["expected_share_source"] == "the recipe's"
    assert "expected_share_source" not in merge([recipe, {"expected_share": 0.4}])
    ours: Layer = {"expected_share": 0.4, "expected_share_source": "ours"}
    assert merge([recipe, ours]) == ours | {"recipe": "a"}
    assert merge([recipe, {"expected_share_source": "ours"}])["expected_share"] == 0.18
