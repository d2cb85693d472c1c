"""Where an adapted language model was published."""

from pydantic import Field

from tasks.formats.value import Value


class PublishedModel(Value):
    """Where a language model lies on the Hub."""

    repo: str = Field(description="owner/name")
    revision: str = Field(
        description="revision by content: the same model with the same card has the same one"
    )
    path: str = Field(description="folder of this revision on the local Hub, or its address")
