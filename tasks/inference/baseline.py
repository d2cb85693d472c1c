"""A baseline with its rule, from texts to logits."""

from collections.abc import Callable, Sequence

import numpy as np

from tasks.decision.rule import apply_rule
from tasks.formats.out_of_scope import RuledLabels


class BaselineRunner:
    """A fitted baseline's `raw` logits, before any rule, and what its file says of its answers."""

    rows_independent = True
    ruled = True
    temperature: float | None = None

    def __init__(self, raw: Callable[[Sequence[str]], np.ndarray], info: RuledLabels, runtime: str) -> None:
        self._raw, self._info, self.runtime = raw, info, runtime
        self.labels, self.rule = info.labels, info.rule

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return self.logits_and_own(texts)[0]

    def logits_and_own(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same, and the classifier's own."""
        own = self._raw(texts)
        return apply_rule(own, self.rule, self._info.out_of_scope_id), own
