"""Where a data set was published."""

from pydantic import Field

from tasks.formats.value import Value


class PublishedDataset(Value):
    """Where a curated data set lies on the Hub."""

    repo: str = Field(description="owner/name")
    revision: str = Field(description="revision by content: the same rows have the same one")
    path: str = Field(description="folder of this revision on the local Hub, or its address")
