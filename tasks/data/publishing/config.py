"""How a data set is published."""

from pydantic import Field

from tasks.formats.asked import Asked


class PublishDatasetConfig(Asked):
    """How a data set is named, described and licensed on the Hub; all of it goes into its card."""

    name: str = Field(
        "local/dataset",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="owner/name on the Hub, each of at most 96 letters, digits, `.`, `_` and `-`",
        json_schema_extra={"often": True},
    )
    title: str = Field(
        "A labelled data set",
        min_length=1,
        description="heading of the card",
    )
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.+-]*$",
        description="the Hub's identifier, such as cc-by-3.0; null: what the tables say, or unknown",
        json_schema_extra={"often": True},
    )
    language: tuple[str, ...] = Field(
        ("en",), min_length=1, description="ISO 639-1 codes of the texts", json_schema_extra={"often": True}
    )
    attribution: str = Field(
        "", description="sources and licence as the licence wants them named; printed in the card"
    )
    sources: tuple[str, ...] = Field(
        (), description="where the rows come from, one line each: name, address, licence"
    )
    tags: tuple[str, ...] = Field((), description="more tags for the card")
