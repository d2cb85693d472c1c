"""The form of each flow in Prefect's UI: all null, in the order of --help, checked by the server as by the config."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flows.adapt import adapt
from flows.compress import compress
from flows.configs.adapt import AdaptFlowConfig
from flows.configs.compress import CompressFlowConfig
from flows.configs.data import DataFlowConfig
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import RECIPES, FlowConfig
from flows.data import data
from flows.end_to_end import end_to_end
from infra.cli.flow_help import SELDOM, is_marked, is_often
from infra.cli.layers import purpose, section_of

from prefect import Flow  # isort: skip
from prefect.utilities.callables import parameter_schema  # isort: skip
from prefect.utilities.schema_tools import validate  # isort: skip
from prefect.utilities.schema_tools.validation import ValidationError as Refused  # isort: skip

FLOWS: list[Any] = [
    pytest.param(end_to_end, EndToEndConfig, id="end_to_end"),
    pytest.param(compress, CompressFlowConfig, id="compress"),
    pytest.param(data, DataFlowConfig, id="data"),
    pytest.param(adapt, AdaptFlowConfig, id="adapt"),
]


def schema(of: Flow[..., Any]) -> dict[str, Any]:
    return parameter_schema(of.fn).model_dump_for_openapi()


def form(of: Flow[..., Any], config: type[BaseModel]) -> dict[str, Any]:
    drawn: dict[str, Any] = schema(of)["definitions"][config.__name__]
    return drawn


def names(config: type[BaseModel], often: bool, prefix: str = "") -> Iterator[str]:
    """Fields of a config, those of each section itself first."""
    for name, field in config.model_fields.items():
        if section_of(field) is None and name != "recipe" and is_often(field) == often:
            yield f"{prefix}{name}"
    for name, field in config.model_fields.items():
        if section := section_of(field):
            halves = (often,) if not is_marked(field, SELDOM) else () if often else (True, False)
            for half in halves:
                yield from names(section, half, f"{prefix}{name}.")


def shown(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in section["properties"].items():
        inner = next((one for one in field.get("anyOf", [field]) if "properties" in one), None)
        if inner:
            yield from shown(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize(("of", "config"), FLOWS)
def test_each_field_stands_once_those_that_users_set_first(
    of: Flow[..., Any], config: type[FlowConfig]
) -> None:
    drawn = form(of, config)
    more = drawn["properties"].pop("more")["anyOf"][0]
    assert [*shown(drawn)] == ["recipe", *names(config, often=True)]
    assert [*shown(more)] == [*names(config, often=False)]


@pytest.mark.parametrize(("of", "config"), FLOWS)
def test_nothing_is_given_until_somebody_gives_it(of: Flow[..., Any], config: type[FlowConfig]) -> None:
    def check(section: dict[str, Any]) -> None:
        for field in section["properties"].values():
            assert "." not in field["title"]
            if "default" in field:
                assert field["default"] is None and {"type": "null"} in field["anyOf"]
            for inner in field.get("anyOf", [field]):
                if "properties" in inner:
                    check(inner)

    check(form(of, config))


@pytest.mark.parametrize(("of", "config"), FLOWS)
def test_the_recipes_are_those_of_preset_with_what_each_is_for(
    of: Flow[..., Any], config: type[FlowConfig]
) -> None:
    field = form(of, config)["properties"]["recipe"]
    files = sorted((RECIPES / config.flow).glob("*.yaml"))
    assert field["anyOf"][0]["enum"] == [path.stem for path in files]
    assert all(f"{path.stem}: {purpose(path).rstrip('.')}" in field["description"] for path in files)
    assert f"default {config.default_recipe}" in field["description"]


def test_a_description_says_what_counts_when_the_field_is_left_alone() -> None:
    publish = form(data, DataFlowConfig)["properties"]["publish"]["properties"]
    assert "(default local/clinc150-intents)" in publish["name"]["description"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipe": "nope"},
        {"dataset": {"test_share": 0.9}},
        {"dataset": {"test_share": "much"}},
        {"dataset": {"near_duplicate_threshold": "on"}},
        {"extract": {"kind": "audio"}},
        {"more": {"dataset": {"min_words": 0}}},
    ],
)
def test_what_the_server_refuses_the_config_refuses_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        validate({"config": wrong}, schema(data), raise_on_error=True)
    with pytest.raises(ValidationError):
        DataFlowConfig.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipe": "github_python"},
        {"unlabelled": "perhaps"},
        {"adapt": {"masking": {"kind": "sentence"}}},
        {"adapt": {"epochs": 0}},
        {"publish": {"name": "no owner"}},
        {"more": {"adapt": {"freeze_layers": -1}}},
    ],
)
def test_so_it_is_with_the_form_of_adapt(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        validate({"config": wrong}, schema(adapt), raise_on_error=True)
    with pytest.raises(ValidationError):
        AdaptFlowConfig.model_validate(wrong)


@pytest.mark.parametrize("recipe", [path.stem for path in sorted((RECIPES / "adapt").glob("*.yaml"))])
def test_an_untouched_form_of_adapt_is_its_recipe(recipe: str) -> None:
    asked = {"recipe": recipe, "more": {}, "adapt": {"masking": {}}}
    validate({"config": asked}, schema(adapt), raise_on_error=True)
    nulls = asked | {"extract": None, "publish": {"license": None, "title": None}}
    nulls["adapt"] = {"epochs": None, "masking": {"kind": None, "rate": None}}
    assert AdaptFlowConfig.model_validate(nulls) == AdaptFlowConfig(recipe=recipe)


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"recipe": "smoke", "extract": None, "more": None},
        {"dataset": {"near_duplicate_threshold": "off"}},
        {"dataset": {"min_words": 3}},
        {"more": {"dataset": {"min_words": 3}}, "dataset": {"test_share": None}},
    ],
)
def test_what_the_config_takes_the_server_takes(right: dict[str, Any]) -> None:
    given = {"dataset": {}, **right}
    validate(
        {"config": {name: value for name, value in given.items() if value is not None}},
        schema(data),
        raise_on_error=True,
    )
    DataFlowConfig.model_validate(right)


def test_more_and_a_section_are_one_the_section_is_stronger() -> None:
    asked = {"dataset": {"seed": 1}, "more": {"dataset": {"seed": 2, "min_words": 3}}}
    assert DataFlowConfig.model_validate(asked) == DataFlowConfig(dataset={"seed": 1, "min_words": 3})


def test_more_that_is_no_sections_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="more is 3: expected sections with fields"):
        DataFlowConfig.model_validate({"more": 3})


def test_a_recipe_of_the_form_is_the_preset_and_keeps_its_name() -> None:
    asked = EndToEndConfig(recipe="smoke", distill={"layers": 1})
    assert (asked.recipe, asked.distill.layers) == ("smoke", 1)
    assert asked.extract.query == EndToEndConfig().extract.query
    assert EndToEndConfig.model_validate_json(asked.model_dump_json()) == asked


def test_a_recipe_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match=r"'smok' is no recipe: expected one of .*Did you mean smoke\?"):
        EndToEndConfig(recipe="smok")
