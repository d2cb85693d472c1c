"""How a tokenizer is published."""

from pydantic import Field

from tasks.formats.asked import Asked


class PublishTokenizerConfig(Asked):
    """How a tokenizer is named, described and licensed on the Hub; all of it goes into its card."""

    name: str = Field(
        "local/code-tokenizer",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="owner/name on the Hub, each of at most 96 letters, digits, `.`, `_` and `-`",
        json_schema_extra={"often": True},
    )
    title: str = Field("A tokenizer of code", min_length=1, description="heading of the card")
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.+-]*$",
        description="the Hub's identifier, such as apache-2.0; unset: none is stated",
        json_schema_extra={"often": True},
    )
    language: tuple[str, ...] = Field(
        ("code",), min_length=1, description="what it was learned from, as the Hub names it"
    )
    attribution: str = Field(
        "", description="sources of the code as their licence wants them named; printed in the card"
    )
    tags: tuple[str, ...] = Field((), description="more tags for the card")
