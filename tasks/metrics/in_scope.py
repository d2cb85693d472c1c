"""What a model says when nothing but the classes that it serves can be answered."""

import numpy as np


def best_in_scope(logits: np.ndarray, out_of_scope: int | None) -> np.ndarray:
    """Ids of the largest logits float [n, classes] but for the column `out_of_scope`, int64 [n]; of all where it is None."""
    if out_of_scope is None:
        return np.argmax(logits, axis=1)
    return np.where(np.arange(logits.shape[1]) == out_of_scope, -np.inf, logits).argmax(axis=1)


def in_scope_accuracy(logits: np.ndarray, labels: np.ndarray, out_of_scope: int | None) -> float | None:
    """Share of in-scope rows whose best in-scope class is theirs, whatever a rule would say; None without such rows."""
    served = labels != out_of_scope
    return float((best_in_scope(logits, out_of_scope) == labels)[served].mean()) if served.any() else None
