"""What every flow's config has: the recipe that lies below it, and the form that Prefect's UI makes of it.

Recipes are fields of a flow's config that come along: flows/recipes/<flow>/<name>.yaml.
"""

import hashlib
import re
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from infra.cli.form import MORE, form
from infra.cli.layers import Layer, given, merge, read_recipe, recipe_file
from infra.errors import ConfigError
from tasks.formats.asked import Asked

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
RECIPES = Path(__file__).parents[1] / "recipes"


class Made(NamedTuple):
    """What a flow makes: `kind` of what lies on the Hub, and what its name has after the run's."""

    kind: str
    ending: str


class FlowConfig(Asked):
    """Sections of stages, over a recipe: the one that is named, else the flow's own where neither query nor table is given."""

    flow: ClassVar[str]
    default_recipe: ClassVar[str]
    # By the section that names it.
    made: ClassVar[dict[str, Made]] = {
        "publish": Made("dataset", ""),
        "release": Made("model", "-classifier"),
    }
    _form: ClassVar[JsonSchemaValue]

    recipe: str | None = Field(
        None,
        description="fields that come along (--preset); unset: those of the flow's own, where neither a query nor a "
        "table is given",
    )
    name: str | None = Field(
        None,
        pattern=NAME,
        description="name of the run, its data set and its model; unset: after the query, the table or the recipe. The data "
        "set is local/NAME, a classifier local/NAME-classifier, an adapted language model local/NAME-adapted, unless they have "
        "names of their own",
        json_schema_extra={"often": True},
    )

    def about(self) -> dict[str, str]:
        """What a run of it is about, as MLflow shows it: the recipe, the table or query, and the names of what is made."""
        extract: Any = getattr(self, "extract", None)
        rows = [*(extract.table or ()), *([extract.query] if extract.query else ())] if extract else []
        facts = {"recipe": self.recipe or "", "rows": ", ".join(Path(str(one)).name for one in rows)}
        facts |= {
            one.kind: getattr(self, section).name
            for section, one in self.made.items()
            if section in type(self).model_fields
        }
        return {name: fact for name, fact in facts.items() if fact}

    @model_validator(mode="before")
    @classmethod
    def _over_its_recipe(cls, asked: Any) -> Any:
        whole = isinstance(asked, dict) and asked.keys() >= cls.model_fields.keys() and MORE not in asked
        if whole or not isinstance(asked, dict):
            return asked  # a config as a whole, with its recipe in it; a form has more
        try:
            said = given(cls, asked)
            more = said.pop(MORE, None) or {}
            if not isinstance(more, dict):
                raise ConfigError(
                    f"{MORE} is {more!r}: expected sections with fields, as they stand beside it"
                )
            return cls._below(_with_rows(merge([given(cls, more), said])))
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @classmethod
    def _below(cls, said: Layer) -> Layer:
        """What is said, over the recipe that it names, over the flow's own where neither of them names rows.

        A name that is given, or comes from rows that are, is stronger than a recipe's; one made of the recipe is weaker.
        """
        recipe, rows = said.get("recipe"), _rows(said)
        lower = [] if recipe is None else [cls._read(str(recipe))]
        named = [rows] if rows else []
        if not rows and not (lower and _rows(lower[0])):
            lower.insert(0, cls._read(cls.default_recipe))
            named = [cls.default_recipe]
        name = str(said.get("name") or "-".join([*named, *([] if recipe is None else [str(recipe)])]))
        layer: Layer = {
            section: {"name": f"local/{name}{one.ending}"}
            for section, one in cls.made.items()
            if section in cls.model_fields and re.match(NAME, name)  # else it is refused, and said once
        }
        lower.insert(len(lower) - (0 if said.get("name") or rows else 1), layer)
        found: Layer = {"name": name, "recipe": recipe if recipe or rows else cls.default_recipe}
        return merge([*lower, said, found])

    @classmethod
    def _read(cls, recipe: str) -> Layer:
        return read_recipe(recipe_file(RECIPES / cls.flow, recipe), cls.flow)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if "_form" not in vars(cls):  # Prefect asks twice for each flow that is imported
            own = handler.resolve_ref_schema(handler(schema))
            cls._form = form(cls, own, handler, RECIPES / cls.flow)
        return deepcopy(cls._form)


def _with_rows(said: Layer) -> Layer:
    """No table is not a table."""
    extract = said.get("extract")
    if not isinstance(extract, dict):
        return said
    rows = {field: value for field, value in extract.items() if value or field not in ("query", "table")}
    return {**said, "extract": rows}


def _rows(said: Layer) -> str:
    """What the rows that are asked for may be called: after the query, else the first table; empty where there are none."""
    extract = said.get("extract")
    if not isinstance(extract, dict):
        return ""
    table = extract.get("table")
    source = extract.get("query") or (table[0] if isinstance(table, list | tuple) and table else table)
    if not source:
        return ""
    stem = str(source).rpartition("::")[2]
    stem = Path(stem.rstrip("/")).name.partition(".")[0] or "table"
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:50]
    # Another script's letters are lost: what is left must not be the name of two tables.
    return (
        plain
        if stem.isascii() and plain
        else f"{plain or 'table'}-{hashlib.sha256(stem.encode()).hexdigest()[:6]}"
    )
