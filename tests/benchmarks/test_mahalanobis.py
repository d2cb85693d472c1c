import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import roc_auc_score

from infra.errors import DataError
from tests.benchmarks.mahalanobis import fit_class_spread

HIDDEN = 6


def clouds(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, wide in the first direction and narrow in the others."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(scale=3, size=(3, HIDDEN))
    labels = np.arange(rows) % 3
    spread = np.array([4.0, 1, 1, 1, 1, 0.2])
    return centres[labels] + random.normal(size=(rows, HIDDEN)) * spread, labels


def test_it_is_the_squared_distance_to_the_nearest_class() -> None:
    vectors, labels = clouds(600)
    spread = fit_class_spread(vectors, labels, None)
    inverse = spread.whitening @ spread.whitening.T
    expected = [-min(mahalanobis(row, mean, inverse) ** 2 for mean in spread.means) for row in vectors[:40]]
    np.testing.assert_allclose(spread.score(vectors[:40]), expected, rtol=1e-8)


def test_a_step_in_a_narrow_direction_counts_more_than_one_in_a_wide() -> None:
    vectors, labels = clouds(3000)
    spread = fit_class_spread(vectors, labels, None)
    wide, narrow = np.zeros(HIDDEN), np.zeros(HIDDEN)
    wide[0], narrow[-1] = 2.0, 2.0
    assert spread.score(spread.means[:1] + narrow) < 50 * spread.score(spread.means[:1] + wide) < 0


def test_scaling_a_direction_changes_no_ranking() -> None:
    vectors, labels = clouds(3000)
    scale = np.array([1, 10, 1, 0.1, 1, 1])
    plain = fit_class_spread(vectors, labels, None).score(vectors)
    scaled = fit_class_spread(vectors * scale, labels, None).score(vectors * scale)
    assert np.corrcoef(plain, scaled)[0, 1] > 0.95


def test_rows_out_of_scope_are_no_class_and_lie_far_away() -> None:
    vectors, labels = clouds(600)
    strange = np.random.default_rng(3).normal(scale=12, size=(100, HIDDEN))
    spread = fit_class_spread(np.vstack([vectors, strange]), np.concatenate([labels, np.full(100, 9)]), 9)
    assert len(spread.means) == 3
    known, _ = clouds(300, seed=5)
    scores = np.concatenate([spread.score(known), spread.score(strange)])
    assert roc_auc_score(np.arange(400) < 300, scores) > 0.95


def test_fewer_rows_than_dimensions_still_have_a_spread() -> None:
    random = np.random.default_rng(0)
    spread = fit_class_spread(random.normal(size=(10, 50)), np.arange(10) % 2, None)
    assert np.isfinite(spread.score(random.normal(size=(5, 50)))).all()


def test_rows_that_are_all_out_of_scope_are_refused() -> None:
    with pytest.raises(DataError, match="none of 4 rows is in scope"):
        fit_class_spread(np.zeros((4, 2)), np.full(4, 1), 1)
