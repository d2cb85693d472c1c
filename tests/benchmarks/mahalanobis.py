"""The Mahalanobis score: how far a text's vector is from the nearest class, by the spread that all classes share.

Lee et al. 2018, A Simple Unified Framework for Detecting Out-of-Distribution Samples, eq. 2. It reads the vector and not the
logits, so a graph that carried it would hold a matrix more; docs/LOG.md has what it gives beside the energy.
"""

from dataclasses import dataclass

import numpy as np

from infra.errors import DataError


@dataclass(frozen=True)
class ClassSpread:
    """`means` float64 [classes, hidden], `whitening` float64 [hidden, hidden] with W W^T the inverse covariance."""

    means: np.ndarray
    whitening: np.ndarray

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """Minus the squared distance of each row of `vectors` [n, hidden] to the nearest class mean: float64 [n]."""
        points, centres = np.asarray(vectors, dtype=np.float64) @ self.whitening, self.means @ self.whitening
        squared = (
            (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)[None, :]
        )
        return -squared.min(axis=1)


def fit_class_spread(vectors: np.ndarray, labels: np.ndarray, out_of_scope: int | None) -> ClassSpread:
    """Class means, and the covariance around them, of training vectors that are in scope.

    The covariance is Ledoit and Wolf's, for classes have fewer rows than vectors have dimensions.

    Args:
        vectors: float [n, hidden].
        labels: int64 [n], ids.
        out_of_scope: id whose rows are left out; None: there is none.

    Raises:
        DataError: no row is in scope.
    """
    from sklearn.covariance import LedoitWolf

    inside = np.ones(len(labels), dtype=bool) if out_of_scope is None else np.asarray(labels) != out_of_scope
    if not inside.any():
        raise DataError(
            f"none of {len(labels)} rows is in scope: expected some of every class. Curate again."
        )
    points, ids = np.asarray(vectors, dtype=np.float64)[inside], np.asarray(labels)[inside]
    present, place = np.unique(ids, return_inverse=True)
    means = np.stack([points[ids == label].mean(axis=0) for label in present])
    precision = LedoitWolf(assume_centered=True).fit(points - means[place]).precision_
    return ClassSpread(means, np.linalg.cholesky(precision))
