"""The form of a flow's config in Prefect's UI: nothing but what differs from the recipe below.

A form posts every value that it shows. So it shows none: each field is null until somebody gives it, and what it is
without that stands in its description. Types, bounds and words to choose from are those of the fields; Prefect's server
checks them.
"""

from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue

from infra.cli.flow_help import SELDOM, is_marked, is_often, said
from infra.cli.layers import purpose, section_of

RECIPE, MORE, OFF = "recipe", "more", "off"
TOLD = ("title", "description", "default")


def form(
    config: type[BaseModel], schema: JsonSchemaValue, handler: GetJsonSchemaHandler, recipes: Path
) -> JsonSchemaValue:
    """JSON schema of the form of `config`, whose own is `schema`: a recipe, what users set, all else below `more`.

    In the order of `--help`. What is given in `more` counts as if it stood in its section. `more` and its sections are null,
    and so closed, until somebody opens them.
    """
    effective = config()
    names = {path.stem: purpose(path).rstrip(".") for path in sorted(recipes.glob("*.yaml"))}
    meaning = "; ".join(f"{name}: {what}" for name, what in names.items())
    default = getattr(effective, RECIPE)
    recipe = _asked(
        {"enum": list(names), "type": "string"},
        "Recipe",
        f"fields that come along, below all that is given here. {meaning} (default {default}, unless rows are named)",
    )
    often = _Half(handler, often=True).fields(config, schema, effective)
    rest = _Half(handler, often=False).fields(config, schema, effective)
    more = _asked(_section("More", "", rest), "More", "every other field, by section")
    return _section(config.__name__, cleandoc(config.__doc__ or ""), {RECIPE: recipe, **often, MORE: more})


@dataclass(frozen=True)
class _Half:
    """The fields that users set, or the others."""

    handler: GetJsonSchemaHandler
    often: bool

    def fields(
        self, config: type[BaseModel], schema: JsonSchemaValue, effective: BaseModel
    ) -> dict[str, JsonSchemaValue]:
        """Those of the section itself first, as in `--help`."""
        own, sections = {}, {}
        for name, field in config.model_fields.items():
            whole, value = schema["properties"][name], getattr(effective, name)
            title, description = _title(name), field.description or ""
            if (section := section_of(field)) is None:
                if name != RECIPE and is_often(field) == self.often:
                    kinds = _kinds(whole)
                    if is_marked(field, OFF) and {"type": "string"} not in kinds:
                        kinds.append({"enum": [OFF], "type": "string", "title": OFF})
                    own[name] = _asked({"anyOf": kinds}, title, said(field, whole=True, default=value))
            elif inside := self.inside(section, field, self.handler.resolve_ref_schema(whole), value):
                made = _section(title, description, inside)
                sections[name] = made if self.often else _asked(made, title, description)
        return {**own, **sections}

    def inside(
        self, section: type[BaseModel], field: FieldInfo, schema: JsonSchemaValue, effective: BaseModel
    ) -> dict[str, JsonSchemaValue]:
        """The fields of a section; those of one that is seldom set are all in the other half."""
        if not is_marked(field, SELDOM):
            return self.fields(section, schema, effective)
        halves = () if self.often else (_Half(self.handler, often=True), self)
        return {
            name: found for half in halves for name, found in half.fields(section, schema, effective).items()
        }


def _kinds(field: JsonSchemaValue) -> list[JsonSchemaValue]:
    """What a field may hold, beside null."""
    kind = {name: value for name, value in field.items() if name not in TOLD}
    kinds: list[JsonSchemaValue] = kind.get("anyOf", [kind])
    return [one for one in kinds if one != {"type": "null"}]


def _asked(kind: JsonSchemaValue, title: str, description: str) -> JsonSchemaValue:
    """A field that may be left alone."""
    kinds = [*kind.get("anyOf", [kind]), {"type": "null"}]
    return {"anyOf": kinds, "default": None, "title": title, "description": description}


def _section(title: str, description: str, fields: dict[str, JsonSchemaValue]) -> JsonSchemaValue:
    return {"type": "object", "title": title, "description": description, "properties": fields}


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
