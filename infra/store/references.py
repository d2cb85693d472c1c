"""What passes between stages: a small frozen reference to content, never the content. Its kinds are those of tasks."""

from typing import Literal

from pydantic import BaseModel, Field

STORE_SCHEME = "artifact:"
SEVERAL = ";"  # between the places of what lies in more than one, outside of the store


class ArtifactRef(BaseModel, frozen=True, extra="forbid"):
    """Where an artifact lies and what it is: two references with one digest are the same thing."""

    uri: str = Field(description="`artifact:<stage>/<key>` in the store, or `file:///...` outside of it")
    digest: str = Field(description="sha256 of the content (of the sorted file digests for a folder), hex")


class Pending(BaseModel, frozen=True):
    """Stands for a result in a dry run: nothing was computed, and `reason` says why it would be."""

    name: str
    kind: Literal["miss", "action"]
