"""What is asked of a release."""

from typing import Final

from pydantic import Field, JsonValue

from tasks.formats.asked import Asked

# Changes no byte of the package, so it is not part of its key.
IGNORE: Final[dict[str, JsonValue]] = {"key": "ignore"}


class ReleaseConfig(Asked):
    """How a release is named, described and licensed; all of it goes into its card."""

    name: str = Field(
        "stillhouse/classifier",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="owner/name on the Hub, each of at most 96 letters, digits, `.`, `_` and `-`; owner-name in MLflow's "
        "registry",
        json_schema_extra=IGNORE | {"often": True},
    )
    title: str = Field(
        "A small text classifier",
        min_length=1,
        description="heading of the card",
        json_schema_extra=IGNORE,
    )
    license: str = Field(
        "apache-2.0",
        min_length=1,
        description="licence of the released model, a Hub identifier",
        json_schema_extra=IGNORE | {"often": True},
    )
    language: tuple[str, ...] = Field(
        ("en",), min_length=1, description="ISO 639-1 codes", json_schema_extra=IGNORE | {"often": True}
    )
    tags: tuple[str, ...] = Field((), description="more tags for the card", json_schema_extra=IGNORE)
    attribution: str = Field(
        "",
        description="sources of the training data as their licence wants them named; printed in the card",
        json_schema_extra=IGNORE,
    )
    limits: str = Field(
        "",
        description="what the model must not be used for, a paragraph of plain text for the card",
        json_schema_extra=IGNORE,
    )

    promote_again: bool = Field(
        False,
        description="make a package champion again that `stillhouse models rollback` took down",
        json_schema_extra=IGNORE,
    )
