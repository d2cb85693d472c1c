"""What a labelled position shows itself, which the model sees as well as its neighbours.

Masks of 80/10/10 (Devlin et al. 2019) show [MASK], a random token or the true one. Where it is not [MASK], how well the
token that is shown fits its context tells the last two apart.
"""

from typing import NamedTuple

import numpy as np

from tasks.baselines.ngrams.mixture import Evidence, Mixture
from tasks.baselines.ngrams.windows import Positions


class Channel(NamedTuple):
    """What is shown where that is not [MASK]: the true token with probability `kept`, else any of the vocabulary."""

    kept: float
    mask: int
    vocabulary: int

    @classmethod
    def of(cls, positions: Positions, mask: int, vocabulary: int) -> "Channel":
        """As it is among `positions`; one half where they say nothing of it."""
        shows = positions.shown != mask
        same = int((positions.shown == positions.targets).sum())
        return cls((same + 1) / (int(shows.sum()) + 2), mask, vocabulary)

    def probability(self, positions: Positions, mixture: Mixture, evidence: Evidence) -> np.ndarray:
        """Of the targets, given contexts and what the positions show, float64 [positions]: Bayes' rule."""
        of_target = mixture.probability(evidence.of_target, evidence.support)
        of_shown = mixture.probability(evidence.of_shown, evidence.support)
        random = (1 - self.kept) / self.vocabulary
        shown_if_target = np.where(positions.shown == positions.targets, self.kept + random, random)
        posterior = of_target * shown_if_target / (self.kept * of_shown + random)
        return np.where(positions.shown == self.mask, of_target, posterior)
