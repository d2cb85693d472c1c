"""What is asked of the search for copies."""

from pydantic import Field

from tasks.formats.asked import Asked


class MemorisationConfig(Asked):
    """Runs of tokens that stand in the training text word for word (Carlini et al. 2023: 50 tokens are a long one)."""

    run: int = Field(50, ge=2, description="tokens of a long run, which is counted")
