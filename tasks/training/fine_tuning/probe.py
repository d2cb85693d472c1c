"""Linear probing: the head as a logistic regression on frozen sentence vectors."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from tasks.decision.rule import NEVER


def probe(head: nn.Linear, vectors: np.ndarray, labels: np.ndarray, inverse_penalty: float) -> None:
    """Fit `head` in place to `vectors` float [n, hidden] and `labels` int64 [n] (at least two different
    ones).
    """
    fitted = LogisticRegression(C=inverse_penalty, max_iter=500).fit(vectors, labels)
    weight, bias = fitted.coef_, fitted.intercept_
    # scikit-learn keeps one row for two classes: the difference of their logits.
    if len(fitted.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    classes = torch.from_numpy(fitted.classes_)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(NEVER)
        head.weight[classes] = torch.from_numpy(weight).float()
        head.bias[classes] = torch.from_numpy(bias).float()
