"""What is asked of a stage or a flow: the base of every config.

Null is "not given", wherever a config comes from. A field whose default can be switched off says so where it is declared,
`json_schema_extra={"off": True}`: it takes the word `off` (and false, which YAML reads it as), and is None then.
"""

import difflib
from typing import Any, Self

from pydantic import (
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tasks.formats.value import Value

NO_FIELD = "not_a_field"
OFF = "off"


class Asked(Value):
    """A frozen config. A name that is no field is refused with the closest that is, wherever the config is made."""

    @model_validator(mode="before")
    @classmethod
    def _off_is_none(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        off = [name for name, field in cls.model_fields.items() if can_be_off(field)]
        return given | {name: None for name in off if given.get(name) is False or given.get(name) == OFF}

    @model_serializer(mode="wrap")
    def _none_is_off(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = written(self)
        kinds = type(self).model_fields
        return {
            name: OFF if value is None and can_be_off(kinds[name]) else value
            for name, value in fields.items()
        }

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_closest(cls, given: Any, made: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return made(given)
        except ValidationError as error:
            found = error.errors(include_url=False)
            if not any(_is_unknown(wrong) for wrong in found):
                raise
            told = [_told(wrong, list(cls.model_fields)) for wrong in found]
            raise ValidationError.from_exception_data(cls.__name__, told) from None


def can_be_off(field: FieldInfo) -> bool:
    """Whether a field takes `off`."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(OFF))


def _is_unknown(wrong: ErrorDetails) -> bool:
    return wrong["type"] == "extra_forbidden" and len(wrong["loc"]) == 1


def _told(wrong: ErrorDetails, known: list[str]) -> InitErrorDetails:
    if not _is_unknown(wrong):
        kind = PydanticCustomError(wrong["type"], wrong["msg"])
        return InitErrorDetails(type=kind, loc=wrong["loc"], input=wrong["input"])
    close = difflib.get_close_matches(str(wrong["loc"][0]), known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}."
    return InitErrorDetails(
        type=PydanticCustomError(NO_FIELD, "not a field: {hint}", {"hint": hint}),
        loc=wrong["loc"],
        input=wrong["input"],
    )
