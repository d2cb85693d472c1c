"""Equal configs ask for the same run: by whatever way they came, and whatever of them was left out or null."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flows.compress import compress
from flows.configs.compress import CompressFlowConfig
from flows.configs.data import DataFlowConfig
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import RECIPES
from flows.configs.sizes import apply_plan
from flows.data import data
from flows.end_to_end import end_to_end
from infra.cli.flow_command import FlowCommand
from infra.cli.flow_run import RunnableFlow
from infra.cli.layers import build, read_layer
from infra.errors import ConfigError
from infra.store.fingerprint import canonical
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.training.sizes.config import Plan

from prefect import Flow, flow  # isort: skip
from prefect.utilities.callables import parameter_schema  # isort: skip

LONG_TEXTS = Plan(
    max_length=112, teacher_epochs=3, student_epochs=4, student_layers=2, intermediate_size=768,
    vocabulary_size=10_000, augmented_copies=5, seconds=600,
)  # fmt: skip
FLOWS: list[Any] = [
    pytest.param(end_to_end, EndToEndConfig, id="end_to_end"),
    pytest.param(compress, CompressFlowConfig, id="compress"),
    pytest.param(data, DataFlowConfig, id="data"),
]


def planned(config: EndToEndConfig) -> JsonValue:
    """What the keys of every stage are made of, once the data have been seen."""
    return canonical(apply_plan(config, LONG_TEXTS))


def by_file(config: EndToEndConfig, folder: Path) -> EndToEndConfig:
    (folder / "saved.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return build(EndToEndConfig, read_layer(folder / "saved.yaml"))


def by_prefect(config: EndToEndConfig, folder: Path) -> EndToEndConfig:
    sent = json.loads(json.dumps(end_to_end.serialize_parameters({"config": config})))
    received = end_to_end.validate_parameters(sent)["config"]
    assert isinstance(received, EndToEndConfig)
    return received


@pytest.mark.parametrize(
    "travel",
    [
        pytest.param(lambda config, _: EndToEndConfig(**config.model_dump()), id="fields"),
        pytest.param(lambda config, _: type(config).model_validate_json(config.model_dump_json()), id="json"),
        pytest.param(by_file, id="file"),
        pytest.param(by_prefect, id="prefect"),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"extract": {"table": ["tickets.csv"]}, "distill": {"layers": 0}}])
def test_a_config_that_has_travelled_gives_the_same_student(
    asked: dict[str, Any], travel: Callable[[EndToEndConfig, Path], EndToEndConfig], tmp_path: Path
) -> None:
    config = EndToEndConfig(**asked)
    arrived = travel(config, tmp_path)
    assert arrived == config
    assert planned(arrived) == planned(config)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A section with some of its fields, each with a value or null."""
    return st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in fields.items()})


LENGTHS, SHARES = st.sampled_from([64, 8, 112, 512]), st.floats(0, 1)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "extract": some(table=st.lists(st.sampled_from(["a.csv", "b"]), max_size=2), text_column=st.just("text")),
        "dataset": some(out_of_scope_label=st.sampled_from(["auto", "other"]), near_duplicate_threshold=st.just(0.95)),
        "train": some(epochs=st.integers(1, 9), max_length=LENGTHS),
        "tokenizer": some(vocabulary_size=st.integers(16, 9_000)),
        "distill": some(
            layers=st.integers(0, 3), max_length=LENGTHS, alpha=SHARES, augment=some(copies=st.integers(0, 9))
        ),
        "bag": some(max_length=LENGTHS, epochs=st.integers(1, 8), alpha=SHARES),
        "publish": some(license=st.just("mit"), tags=st.lists(st.just("tag"), max_size=1)),
        "expected_share": st.none() | SHARES,
    },
)  # fmt: skip


@settings(max_examples=50)
@given(ASKED)
def test_whatever_is_asked_its_json_asks_for_the_same(asked: dict[str, Any]) -> None:
    config = EndToEndConfig(**asked)
    again = EndToEndConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert planned(again) == planned(config)


def form(of: Flow[..., Any], config: type[BaseModel]) -> dict[str, Any]:
    """What Prefect's form posts when nobody has touched it: every default, null by null."""
    return untouched(parameter_schema(of.fn).definitions[config.__name__])


def untouched(section: dict[str, Any]) -> dict[str, Any]:
    return {
        name: untouched(field) if field.get("type") == "object" else field["default"]
        for name, field in section["properties"].items()
    }


def posted(to: Flow[..., Any], config: dict[str, Any]) -> BaseModel:
    received = to.validate_parameters({"config": config})["config"]
    assert isinstance(received, BaseModel)
    return received


@pytest.mark.parametrize(("asked", "config"), FLOWS)
def test_a_form_that_nobody_touched_is_the_default_recipe(
    asked: Flow[..., Any], config: type[BaseModel]
) -> None:
    assert posted(asked, form(asked, config)) == config()


def test_a_form_with_one_change_is_the_default_recipe_with_that_change() -> None:
    changed = form(end_to_end, EndToEndConfig)
    changed["distill"] = {**changed["distill"], "layers": 1}
    changed["extract"] = {**changed["extract"], "parameters": {"sample_percent": 8}}
    changed["more"] = {"bag": None, "distill": {"seed": 3}}
    asked = EndToEndConfig(distill={"layers": 1, "seed": 3}, extract={"parameters": {"sample_percent": 8}})
    assert posted(end_to_end, changed) == asked


@pytest.mark.parametrize(("asked", "config"), FLOWS)
def test_null_is_not_given_in_the_post_of_a_run(asked: Flow[..., Any], config: type[BaseModel]) -> None:
    nulls = {"extract": {"query": None, "table": None, "parameters": None, "max_bytes": None}, "publish": None,
             "dataset": {"min_words": None}}  # fmt: skip
    assert posted(asked, nulls) == config()


def test_a_null_in_a_file_leaves_what_a_preset_gives(home: Path, tmp_path: Path) -> None:
    seen: list[EndToEndConfig] = []

    @flow(name="look")
    def look(config: EndToEndConfig) -> EndToEndConfig:
        seen.append(config)
        return config

    (tmp_path / "mine.yaml").write_text(
        "distill:\n  layers: null\n  epochs: 2\nextract: {parameters: {sample_percent: null}}\ntokenizer:\n"
    )
    runnable = RunnableFlow(look, lambda same: same, lambda same: 0)
    command = FlowCommand("end_to_end", "Look.", EndToEndConfig, RECIPES / "end_to_end", lambda: runnable)
    file = ["--config", str(tmp_path / "mine.yaml")]
    assert command.main(["--preset", "smoke", *file, "--train.epochs", "null", "--dry-run"]) == 0
    (config,) = seen
    assert (config.distill.layers, config.distill.epochs, config.train.epochs) == (1, 2, 1)
    assert config.extract.parameters == {"sample_percent": 8}
    assert config.tokenizer.vocabulary_size == 4000


def test_equal_sections_from_python_ask_for_the_same() -> None:
    section = PublishDatasetConfig(title="Queries")
    same = PublishDatasetConfig(**section.model_dump())
    assert section == same
    assert EndToEndConfig(publish=section) == EndToEndConfig(publish=same)


@pytest.mark.parametrize("config", [EndToEndConfig, DataFlowConfig])
def test_a_section_that_is_no_mapping_is_named(config: type[BaseModel]) -> None:
    with pytest.raises(ConfigError, match=r"extract is 'tickets\.csv'"):
        build(config, {"extract": "tickets.csv"})


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)
    rate: float = 0.5


class Before(BaseModel):
    model_config = ConfigDict(frozen=True)
    epochs: int = 3


class After(Before):
    inner: Inner = Field(default_factory=Inner, json_schema_extra={"key": "unless_default"})
    layers: tuple[int, ...] = Field(default_factory=tuple, json_schema_extra={"key": "unless_default"})


def test_a_field_added_with_a_default_factory_leaves_old_artifacts_valid() -> None:
    assert canonical(After()) == canonical(Before())


def test_a_section_has_one_key_however_its_numbers_are_written() -> None:
    written = {}
    for name, field in (CompressFlowConfig.model_fields | DataFlowConfig.model_fields).items():
        section = field.get_default(call_default_factory=True)
        if not isinstance(section, BaseModel):
            continue
        again = type(section).model_validate_json(section.model_dump_json())
        assert again == section
        written[name] = json.dumps(canonical(section)), json.dumps(canonical(again))
    assert [name for name, (one, other) in written.items() if one != other] == []


def test_equal_numbers_are_written_alike() -> None:
    one, other = Inner(rate=0.0), Inner(rate=-0.0)
    assert one == other
    assert json.dumps(canonical(one)) == json.dumps(canonical(other))
