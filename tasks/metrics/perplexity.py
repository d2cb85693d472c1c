"""How well a language model foresees text: its loss of a token, as a number of tokens that a person can picture."""

import math


def perplexity_of(nats: float) -> float:
    """exp of a mean negative log likelihood; infinity where a float cannot hold it."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf
