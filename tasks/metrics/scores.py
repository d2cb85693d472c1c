"""How good answers are: pure functions of logits after the rule, and of the true labels.

Accuracy is what the gate compares, for it is what a user sees. Macro F1 tells whether rare classes pay for
it. Calibration error tells whether a confidence may be believed, and the out-of-scope AUROC tells how well
the score separates what is served from what is not, whatever the threshold.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from tasks.formats.evaluation_report import ClassScores, Confusion, ModelScores
from tasks.metrics.in_scope import in_scope_accuracy


@dataclass(frozen=True)
class Answers:
    """One model on one split: `logits` float [n, classes] after the rule, `labels` int64 [n] ids."""

    logits: np.ndarray
    labels: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        """Ids answered, int64 [n]."""
        return self.logits.argmax(axis=1)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether each answer is right, bool [n]."""
        return self.predicted == self.labels

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, float64 [n, classes]."""
        return softmax(self.logits.astype(np.float64), axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """Probability of the answer, float64 [n]."""
        return self.probabilities.max(axis=1)


@dataclass(frozen=True)
class Calibration:
    """Bins of confidence: `edges` [bins + 1], `rows`, mean `confidence`, `accuracy` [bins] (empty: NaN)."""

    edges: np.ndarray
    rows: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean over rows of their bin's gap (Guo et al. 2017, eq. 3)."""
        filled = self.rows > 0
        gap = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.sum(self.rows[filled] * gap) / self.rows.sum())


def calibrate(answers: Answers, bins: int) -> Calibration:
    """Bin the rows by confidence into `bins` of equal width, open below and closed above."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, answers.confidence, side="left") - 1, 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, weights=answers.confidence, minlength=bins) / rows
        accuracy = np.bincount(place, weights=answers.right, minlength=bins) / rows
    return Calibration(edges, rows, confidence, accuracy)


def risk_coverage(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Share of texts answered, the most confident first, and share of those answers that are wrong; both float [n].

    El-Yaniv and Wiener 2010. Rows of one confidence are answered together: each has the risk of the last of them.
    """
    order = np.argsort(-answers.confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~answers.right[order]) / answered
    last = np.searchsorted(-answers.confidence[order], -answers.confidence[order], side="right") - 1
    return answered / len(order), risk[last]


def scope_margin(logits: np.ndarray, out_of_scope: int) -> np.ndarray:
    """How far in scope each row is, float [n]: largest in-scope logit minus the out-of-scope one.

    After the rule this is its score minus the threshold (tasks/decision/rule.py): it ranks as the score.
    """
    return np.delete(logits, out_of_scope, axis=1).max(axis=1) - logits[:, out_of_scope]


@dataclass(frozen=True)
class Answered:
    """One model on one split three times: as `served`, with a rule for `validation`'s own share of out-of-scope texts,
    and its `own` logits, without any rule. `expected_share` is what the rule that it is served with was chosen for."""

    served: Answers
    validation_share: Answers
    own: Answers
    expected_share: float | None


def score_model(name: str, answered: Answered, out_of_scope: int | None, bins: int) -> ModelScores:
    """Every figure of one model. F1 is averaged over the classes that the split has rows of."""
    answers = answered.served
    labels, predicted = answers.labels, answers.predicted
    macro = f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    return ModelScores(
        name=name,
        accuracy=float(answers.right.mean()),
        macro_f1=float(macro),
        micro_f1=float(f1_score(labels, predicted, average="micro", zero_division=0)),
        roc_auc=macro_auc(answers),
        expected_calibration_error=calibrate(answers, bins).error,
        aurc=float(risk_coverage(answers)[1].mean()),
        expected_share=answered.expected_share,
        accuracy_validation_share=float(answered.validation_share.right.mean()),
        calibration_error_validation_share=calibrate(answered.validation_share, bins).error,
        out_of_scope_recall_validation_share=out_of_scope_recall(answered.validation_share, out_of_scope),
        accuracy_argmax=float(answered.own.right.mean()),
        accuracy_in_scope=in_scope_accuracy(answered.own.logits, answered.own.labels, out_of_scope),
        **scope_scores(answers, out_of_scope),
    )


def out_of_scope_recall(answers: Answers, out_of_scope: int | None) -> float | None:
    """Share of out-of-scope rows that are answered as such; None without such rows."""
    strange = answers.labels == out_of_scope
    return float(answers.right[strange].mean()) if strange.any() else None


def scope_scores(answers: Answers, out_of_scope: int | None) -> dict[str, float | None]:
    """How what is served and what is not is answered; None for a figure that the split has no rows for."""
    inside, area, outside = None, None, out_of_scope_recall(answers, out_of_scope)
    if out_of_scope is not None:
        strange = answers.labels == out_of_scope
        inside = None if strange.all() else float(answers.right[~strange].mean())
        if inside is not None and outside is not None:
            area = float(roc_auc_score(~strange, scope_margin(answers.logits, out_of_scope)))
    return {"accuracy_in_scope_ruled": inside, "out_of_scope_recall": outside, "auroc": area}


def macro_auc(answers: Answers) -> float | None:
    """Mean one-vs-rest area under the ROC curve over the classes present; None when there is one only."""
    present = np.unique(answers.labels)
    if len(present) < 2:
        return None
    probabilities = answers.probabilities
    return float(
        np.mean([roc_auc_score(answers.labels == label, probabilities[:, label]) for label in present])
    )


def class_scores(answers: Answers, labels: tuple[str, ...]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of each class, in the order of the labels; zero where they are undefined."""
    columns = precision_recall_fscore_support(
        answers.labels, answers.predicted, labels=np.arange(len(labels)), zero_division=0
    )
    return tuple(
        ClassScores(label=label, precision=float(p), recall=float(r), f1=float(f), support=int(n))
        for label, p, r, f, n in zip(labels, *columns, strict=True)
    )


def top_confusions(answers: Answers, labels: tuple[str, ...], most: int) -> tuple[Confusion, ...]:
    """The commonest pairs (actual, answered) that differ, most first; equal ones in the labels' order."""
    wrong = ~answers.right
    pairs, counts = np.unique(
        np.stack([answers.labels[wrong], answers.predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple(
        Confusion(actual=labels[pairs[i, 0]], predicted=labels[pairs[i, 1]], count=int(counts[i]))
        for i in order
    )
