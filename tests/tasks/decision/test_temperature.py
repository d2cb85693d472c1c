import numpy as np
import pytest
from scipy.special import softmax

from tasks.decision.temperature import apply_temperature, choose_temperature
from tasks.formats.dataset import DatasetInfo

INFO = DatasetInfo(labels=("a", "b", "c", "oos"), out_of_scope="oos", rows={}, words_p50=5, words_p99=9)
PLAIN = INFO.model_copy(update={"labels": ("a", "b", "c", "d"), "out_of_scope": None})


def calibrated(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax: a model whose confidence is exactly right."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(rows, 4))
    return logits, np.array([random.choice(4, p=row) for row in softmax(logits, axis=1)])


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_a_model_too_sure_or_not_sure_enough_gets_its_own_factor_back(factor: float) -> None:
    logits, labels = calibrated(20_000)
    found = choose_temperature(logits * factor, labels, PLAIN, None)
    assert found == pytest.approx(factor, rel=0.05)


def test_it_is_the_lowest_of_a_grid() -> None:
    logits, labels = calibrated(400)
    logits = logits * 2
    found = choose_temperature(logits, labels, PLAIN, None)

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature, axis=1)[np.arange(400), labels]).mean())

    assert all(loss(found) <= loss(other) + 1e-9 for other in np.geomspace(0.05, 20, 2000))


def test_traffic_decides_whose_confidence_matters() -> None:
    logits, labels = calibrated(4000)
    logits = np.where((labels == 3)[:, None], 4 * logits, logits)  # too sure about what is out of scope
    found = [choose_temperature(logits, labels, INFO, share) for share in (0.0, 0.2, 0.9)]
    assert found == sorted(found)
    assert found[0] < 1.2 < 2 < found[2]


def test_it_stays_finite_for_a_model_that_is_always_right_or_always_wrong() -> None:
    labels = np.arange(40) % 4
    right = 5 * np.eye(4)[labels]
    assert 0.05 <= choose_temperature(right, labels, PLAIN, None) < 0.2
    assert choose_temperature(-right, labels, PLAIN, None) == pytest.approx(20, abs=0.1)


def test_no_answer_changes() -> None:
    logits, _ = calibrated(500)
    softened = apply_temperature(logits, 1.7)
    assert softened.dtype == np.float32
    assert np.array_equal(softened.argmax(axis=1), logits.argmax(axis=1))
