"""What is asked of the n-gram baseline of causal language models."""

from pydantic import Field

from tasks.formats.asked import Asked


class CausalNgramConfig(Asked):
    """Kneser-Ney n-grams of the training part, and beside them a cache of the document read so far."""

    order: int = Field(5, ge=1, le=7, description="longest n-gram in tokens, the predicted one included")
    cache_order: int = Field(
        6, ge=1, le=10, description="longest n-gram of the cache in tokens, the predicted one included"
    )
