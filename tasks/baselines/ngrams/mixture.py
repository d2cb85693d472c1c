"""Components mixed by weights that held-out text chooses: deleted interpolation (Jelinek & Mercer 1980).

From the widest window down, each component takes a share of what those before it left: a weight of its own for each level
of support, none where its context never stood. The last takes the rest.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from tasks.baselines.ngrams.counting import LEVELS

FIRST_WEIGHT = 0.5
IMAGINED = 1.0  # uses of a component, and as many refusals, in each level: Laplace's rule of succession
ENOUGH = 1e-6  # nats a position that an iteration gains, below which it is the last
MOST_ITERATIONS = 200


class Evidence(NamedTuple):
    """What each component says of each position: the probability of the token `of_target` and of what is `of_shown` there,
    float32 [components, positions]; the `support` of its context, uint8 [components, positions], 0 for none."""

    of_target: np.ndarray
    of_shown: np.ndarray
    support: np.ndarray

    def last(self, components: int) -> Self:
        """Of the last components alone."""
        return self._replace(**{name: values[-components:] for name, values in self._asdict().items()})


@dataclass(frozen=True)
class Mixture:
    """`weights` float64 [components, LEVELS + 1]: what a component takes of what is left to it, by level of support."""

    weights: np.ndarray

    def shares(self, support: np.ndarray) -> np.ndarray:
        """What each component has in the mixture, float64 [components, positions]; their sums are 1."""
        taken = self.weights[np.arange(len(support))[:, None], support]
        taken[-1] = 1.0
        left = np.cumprod(1.0 - taken[:-1], axis=0)
        taken[1:] *= left
        return taken

    def probability(self, of_token: np.ndarray, support: np.ndarray) -> np.ndarray:
        """Mixed probability, float64 [positions], of what the components give `of_token` [components, positions]."""
        return np.einsum("cp,cp->p", self.shares(support), of_token, dtype=np.float64)

    def fitness(self, held_out: Evidence) -> float:
        """What `improved` raises: log likelihood of the targets and of the imagined uses and refusals, in nats."""
        likelihood = np.log(self.probability(held_out.of_target, held_out.support)).sum()
        chosen = self.weights[:-1, 1:]
        return float(likelihood + IMAGINED * (np.log(chosen) + np.log1p(-chosen)).sum())

    def improved(self, held_out: Evidence) -> Self:
        """One step of expectation maximisation (Dempster, Laird & Rubin 1977), after which `fitness` is no lower."""
        components, levels = self.weights.shape
        cells = (np.arange(components)[:, None] * levels + held_out.support).ravel()
        used = self.shares(held_out.support) * held_out.of_target
        used /= used.sum(axis=0)
        reached = used[::-1].cumsum(axis=0)[
            ::-1
        ]  # the position was left to this component, or to one after it
        uses, chances = (
            np.bincount(cells, values.ravel(), minlength=self.weights.size).reshape(self.weights.shape)
            for values in (used, reached)
        )
        weights = (uses + IMAGINED) / (chances + 2 * IMAGINED)
        weights[:, 0] = 0.0
        return type(self)(weights)


def fit_mixture(held_out: Evidence) -> Mixture:
    """The weights that fit held-out positions best, a little drawn to one half where a level has few of them."""
    weights = np.full((len(held_out.support), LEVELS + 1), FIRST_WEIGHT)
    weights[:, 0] = 0.0
    mixture = Mixture(weights)
    fitness = mixture.fitness(held_out)
    for _ in range(MOST_ITERATIONS):
        better = mixture.improved(held_out)
        before, fitness, mixture = fitness, better.fitness(held_out), better
        if fitness - before < ENOUGH * held_out.support.shape[1]:
            break
    return mixture
