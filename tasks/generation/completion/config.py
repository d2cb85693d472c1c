"""How code is completed."""

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.formats.code_tokens import Quality

MAX_TOKENS = 128


class CompletionConfig(Asked):
    """What is drawn after a prompt, and how long it may be."""

    temperature: float = Field(
        0.6, ge=0, le=10, description="of what is drawn; 0: the likeliest token of each place"
    )
    quality: Quality = Field(
        "high",
        description="that is asked for, of a model that was trained with quality tokens: low, medium, high",
    )
    max_tokens: int = Field(MAX_TOKENS, ge=1, description="tokens that a completion has at most")
    seed: int = Field(0, ge=0, lt=2**31, description="of what is drawn")
    batch: int = Field(
        32, ge=1, description="completions that are written at once", json_schema_extra={"key": "ignore"}
    )
