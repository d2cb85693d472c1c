"""What the Hub refuses in the YAML of a card, as far as its documentation and its messages say.

Checked: that it is a mapping; licences (hub_licenses.txt, from https://huggingface.co/docs/hub/repositories-licenses),
languages, sizes, names of repositories; `model-index` (each result has a task, a data set with type and name, and metrics with
type and value); `configs` and `dataset_info` of a data set. A card without YAML is let through, as there. Left out: what the
Hub only warns of (unknown tasks, libraries and metrics); keys that it does not know are ignored, as there.
"""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

LICENSES = frozenset(Path(__file__).with_name("hub_licenses.txt").read_text(encoding="utf-8").split())
SPECIAL_LANGUAGES = ("code", "multilingual", "other")


def _resource(name: str) -> frozenset[str]:
    """A list that `datasets` has from the Hub."""
    return frozenset(json.loads(files("datasets.utils.resources").joinpath(name).read_text(encoding="utf-8")))


def _one_of(known: frozenset[str], expected: str) -> Callable[[str], str]:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(f"{word!r} is not valid: it must be {expected}")
        return word

    return check


def _listed(found: object) -> object:
    return [found] if isinstance(found, str) else found


License = Annotated[str, AfterValidator(_one_of(LICENSES, f"one of [{', '.join(sorted(LICENSES))}]"))]
Language = Annotated[
    str,
    AfterValidator(
        _one_of(
            _resource("languages.json") | {*SPECIAL_LANGUAGES}, "an ISO 639-1, 639-2 or 639-3 code, or code"
        )
    ),
]
Size = Annotated[str, AfterValidator(_one_of(_resource("size_categories.json"), "a size such as n<1K"))]
Name = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,96}(/[\w.-]{1,96})?$")]
Words = Annotated[list[str], BeforeValidator(_listed)]


class _Typed(BaseModel):
    type: str


class _EvaluatedOn(_Typed):
    name: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None


class _Metric(_Typed):
    value: Any


class _Result(BaseModel):
    task: _Typed
    dataset: _EvaluatedOn
    metrics: list[_Metric] = Field(min_length=1)


class _Index(BaseModel):
    name: str
    results: list[_Result]


class _Card(BaseModel):
    language: Annotated[list[Language], BeforeValidator(_listed)] = []
    tags: Words = []
    pretty_name: str | None = None
    license_name: str | None = None


class _ModelCard(_Card):
    license: License | None = None
    datasets: Annotated[list[Name], BeforeValidator(_listed)] = []
    base_model: Annotated[list[Name], BeforeValidator(_listed)] = []
    metrics: Words = []
    library_name: str | None = None
    pipeline_tag: str | None = None
    model_index: list[_Index] = Field([], alias="model-index")


class _Files(BaseModel):
    split: str
    path: str | list[str]


class _Config(BaseModel):
    config_name: str
    data_files: str | list[_Files]


class _Split(BaseModel):
    name: str
    num_bytes: int
    num_examples: int


class _Info(BaseModel):
    features: list[dict[str, Any]] = []
    splits: list[_Split] = []


class _DatasetCard(_Card):
    license: Annotated[list[License], BeforeValidator(_listed)] = []
    size_categories: Annotated[list[Size], BeforeValidator(_listed)] = []
    task_categories: Words = []
    configs: list[_Config] = []
    dataset_info: _Info | list[_Info] = []


CARDS: dict[str, type[_Card]] = {"model": _ModelCard, "dataset": _DatasetCard}


def faults_of_card(content: str, kind: Literal["model", "dataset"]) -> Iterator[str]:
    """A message for each fault of a card; nothing for one that is taken."""
    block = REGEX_YAML_BLOCK.search(content)
    if block is None:
        return
    try:
        CARDS[kind].model_validate(yaml.safe_load(block[2]))
    except yaml.YAMLError as error:
        yield f"the card's header is no YAML: {' '.join(str(error).split())}"
    except ValidationError as error:
        for fault in error.errors():
            yield f'"{".".join(map(str, fault["loc"])) or "metadata"}": {fault["msg"]}'
