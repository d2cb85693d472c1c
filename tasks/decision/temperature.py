"""One number by which all logits are divided, so that softmax gives a confidence that can be believed.

Temperature scaling: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2. It is taken of the logits
after the out-of-scope rule, whose own class is one of those that the confidence is divided among. No answer changes.
"""

import numpy as np

from tasks.decision.rule import share_of_traffic
from tasks.formats.dataset import DatasetInfo

LOWEST, HIGHEST = 0.05, 20.0  # a model outside is not to be mended by a number


def choose_temperature(
    ruled: np.ndarray,
    labels: np.ndarray,
    info: DatasetInfo,
    expected_share: float | None,
) -> float:
    """Temperature of the smallest expected negative log-likelihood in traffic, from validation rows.

    Args:
        ruled: float [n, classes], logits after the rule.
        labels: int64 [n], ids.
        info: the data set's labels.
        expected_share: share of out-of-scope texts in traffic, 0 to 1; None: their share of validation.

    Returns:
        A number from 0.05 to 20, rounded to four digits after the point.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    mass = share_of_traffic(np.asarray(labels), info, expected_share)
    rows, logits = np.arange(len(labels)), np.asarray(ruled, dtype=np.float64)

    def expected_loss(log_temperature: float) -> float:
        return float(-mass @ log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels])

    found = minimize_scalar(expected_loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def apply_temperature(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logits divided by the temperature, float32, as the exported graph does it."""
    return np.asarray(logits, dtype=np.float32) * np.float32(1 / temperature)
