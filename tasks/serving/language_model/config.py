"""How a language model is published."""

from pydantic import Field

from tasks.formats.asked import Asked


class PublishAdaptedConfig(Asked):
    """How a language model is named, described and licensed on the Hub; all of it goes into its card."""

    name: str = Field(
        "local/language-model",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="owner/name on the Hub, each of at most 96 letters, digits, `.`, `_` and `-`",
        json_schema_extra={"often": True},
    )
    title: str = Field("A masked language model", min_length=1, description="heading of the card")
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.+-]*$",
        description="the Hub's identifier, such as apache-2.0; unset: none is stated, whatever base model and text have",
        json_schema_extra={"often": True},
    )
    language: tuple[str, ...] = Field(
        ("en",), min_length=1, description="ISO 639-1 codes of the text", json_schema_extra={"often": True}
    )
    attribution: str = Field(
        "", description="sources of the text as their licence wants them named; printed in the card"
    )
    tags: tuple[str, ...] = Field((), description="more tags for the card")
    limits: str = Field(
        "", description="what the model must not be used for, a paragraph of plain text for the card"
    )


class PublishPretrainedConfig(PublishAdaptedConfig):
    """The same of one that was begun from nothing."""

    title: str = Field("A language model of code", min_length=1, description="heading of the card")
    language: tuple[str, ...] = Field(
        ("code",), min_length=1, description="what it has read, as the Hub names it"
    )
    fresh: bool = Field(
        False,
        description="push the model before it has read anything as well, as the first commit of the run's branch",
    )
