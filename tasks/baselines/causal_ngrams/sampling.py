"""Text by n-grams, a token at a time."""

from collections.abc import Callable, Sequence

import numpy as np

from tasks.baselines.causal_ngrams.kneser_ney import KneserNey


def continued(
    model: KneserNey,
    context: Sequence[int],
    temperature: float,
    random: np.random.Generator,
    most: int,
    done: Callable[[Sequence[int]], bool],
) -> list[int]:
    """Tokens after `context`, at most `most`, until they are `done`; at a temperature of 0 the likeliest of each place."""
    made: list[int] = []
    reach = len(model.orders) - 1
    while len(made) < most and not done(made):
        read = [*context, *made]
        found = model.distribution(read[max(0, len(read) - reach) :])
        if temperature == 0:
            made.append(int(found.argmax()))
            continue
        with np.errstate(divide="ignore"):
            found = np.exp((np.log(found) - np.log(found.max())) / temperature)
        made.append(int(random.choice(len(found), p=found / found.sum())))
    return made
