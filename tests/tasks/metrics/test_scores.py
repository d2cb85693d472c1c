import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tasks.decision.rule import apply_rule, score
from tasks.formats.evaluation_report import ModelScores
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.metrics.scores import (
    Answered,
    Answers,
    calibrate,
    class_scores,
    macro_auc,
    risk_coverage,
    scope_margin,
    score_model,
    top_confusions,
)

LABELS = ("a", "b", "oos")


def random_answers(seed: int, rows: int = 60, classes: int = 4) -> Answers:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=rows - classes)])
    return Answers(
        random.normal(size=(rows, classes)).astype(np.float32) + 2 * np.eye(classes)[labels], labels
    )


def scored(name: str, answers: Answers, out_of_scope: int | None, bins: int) -> ModelScores:
    """Of a model whose own answers are those that it is served with."""
    return score_model(name, Answered(answers, answers, answers, None), out_of_scope, bins)


def reference_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, eq. 3, row by row."""
    total = 0.0
    for i in range(bins):
        low, high = i / bins, (i + 1) / bins
        inside = [j for j in range(len(right)) if low < confidence[j] <= high]
        if inside:
            accuracy = sum(right[j] for j in inside) / len(inside)
            total += (
                len(inside) / len(right) * abs(accuracy - sum(confidence[j] for j in inside) / len(inside))
            )
    return total


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20))
def test_calibration_error_is_the_papers_formula(seed: int, bins: int) -> None:
    answers = random_answers(seed)
    expected = reference_calibration_error(answers.confidence, answers.right, bins)
    assert calibrate(answers, bins).error == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_every_row_is_in_one_bin(seed: int) -> None:
    calibration = calibrate(random_answers(seed), 15)
    assert calibration.rows.sum() == 60
    assert 0 <= calibration.error <= 1


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not() -> None:
    logits = np.array([[60.0, 0.0], [0.0, 60.0]])
    assert calibrate(Answers(logits, np.array([0, 1])), 15).error == pytest.approx(0)
    assert calibrate(Answers(logits, np.array([1, 0])), 15).error == pytest.approx(1)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_micro_f1_is_the_accuracy(seed: int) -> None:
    scores = scored("teacher", random_answers(seed), None, 15)
    assert scores.micro_f1 == pytest.approx(scores.accuracy)


def test_macro_figures_are_over_the_classes_that_have_rows() -> None:
    answers = Answers(np.array([[2.0, 1, 0], [0, 2, 1], [2, 1, 0]]), np.array([0, 1, 0]))
    scores = scored("teacher", answers, None, 15)
    assert scores.macro_f1 == 1.0
    assert scores.roc_auc == 1.0


def test_one_class_has_no_roc() -> None:
    assert macro_auc(Answers(np.array([[1.0, 0], [0, 1.0]]), np.array([0, 0]))) is None


@pytest.mark.parametrize("kind", ["energy", "log_odds", "confidence"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), threshold=st.floats(-3, 6))
def test_the_margin_of_ruled_logits_is_score_minus_threshold(kind: str, seed: int, threshold: float) -> None:
    raw = random_answers(seed).logits
    rule = OutOfScopeRule(label="oos", score=kind, threshold=threshold, expected_share=0.2)
    expected = score(raw, 3, rule.score) - threshold
    np.testing.assert_allclose(scope_margin(apply_rule(raw, rule, 3), 3), expected, atol=1e-4)


def test_out_of_scope_auroc_does_not_depend_on_the_threshold() -> None:
    raw = random_answers(0)
    rules = [OutOfScopeRule(label="oos", score="energy", threshold=t, expected_share=0.2) for t in (0.5, 3.5)]
    found = [scored("m", Answers(apply_rule(raw.logits, rule, 3), raw.labels), 3, 15) for rule in rules]
    expected = roc_auc_score(raw.labels != 3, score(raw.logits, 3, "energy"))
    assert found[0].auroc == pytest.approx(found[1].auroc, abs=1e-3)
    assert found[0].auroc == pytest.approx(expected, abs=1e-3)


def test_scope_figures_are_told_apart() -> None:
    logits = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3], [3, 0, 1]])
    scores = scored("m", Answers(logits, np.array([0, 0, 2, 2])), 2, 15)
    assert (scores.accuracy_in_scope_ruled, scores.out_of_scope_recall) == (0.5, 0.5)


def test_without_out_of_scope_rows_there_is_no_recall_of_them() -> None:
    scores = scored("m", Answers(np.array([[1.0, 0, 0], [0, 1, 0]]), np.array([0, 1])), 2, 15)
    assert scores.accuracy_in_scope_ruled == 1.0
    assert scores.out_of_scope_recall is None
    assert scores.auroc is None


def test_classes_are_scored_in_the_order_of_the_labels() -> None:
    answers = Answers(np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([0, 1, 1]))
    first, second, third = class_scores(answers, LABELS)
    assert (first.precision, first.recall, first.support) == (0.5, 1.0, 1)
    assert (second.precision, second.recall, second.support) == (1.0, 0.5, 2)
    assert (third.label, third.f1, third.support) == ("oos", 0.0, 0)


def test_confusions_come_commonest_first() -> None:
    predicted, labels = [1, 1, 0, 0, 2], [0, 0, 1, 0, 0]
    answers = Answers(np.eye(3)[predicted], np.array(labels))
    found = [(c.actual, c.predicted, c.count) for c in top_confusions(answers, LABELS, 2)]
    assert found == [("a", "b", 2), ("a", "oos", 1)]


def test_no_mistake_is_no_confusion() -> None:
    assert top_confusions(Answers(np.eye(3), np.arange(3)), LABELS, 5) == ()


def test_risk_is_the_share_of_wrong_answers_among_the_most_confident() -> None:
    answers = random_answers(3)
    coverage, risk = risk_coverage(answers)
    order = sorted(range(60), key=lambda row: -answers.confidence[row])
    for answered, (share, wrong) in enumerate(zip(coverage, risk, strict=True), start=1):
        assert share == pytest.approx(answered / 60)
        assert wrong == pytest.approx(sum(not answers.right[row] for row in order[:answered]) / answered)
    assert risk[-1] == pytest.approx(1 - answers.right.mean())


def test_risk_of_a_model_that_is_equally_sure_of_everything_is_its_error_everywhere() -> None:
    answers = Answers(np.tile([1.0, 0.0], (10, 1)), np.array([0] * 7 + [1] * 3))
    assert risk_coverage(answers)[1] == pytest.approx(np.full(10, 0.3))


def test_confidence_that_puts_the_wrong_last_has_the_smallest_area() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    sure = np.linspace(5, 1, 10)
    logits = np.stack([sure, np.zeros(10)], axis=1)
    best, worst = Answers(logits, labels), Answers(logits, labels[::-1].copy())
    assert risk_coverage(best)[1].mean() < risk_coverage(worst)[1].mean()


def test_in_scope_accuracy_lets_nothing_else_be_answered() -> None:
    logits = np.array([[1.0, 0, 9], [0, 1.0, 0], [0, 1.0, 9], [0, 0, 9]])
    answers = Answers(logits, np.array([0, 0, 1, 2]))
    assert scored("m", answers, 2, 15).accuracy_in_scope == pytest.approx(2 / 3)
    assert scored("m", Answers(logits[3:], np.array([2])), 2, 15).accuracy_in_scope is None
    assert scored("m", Answers(logits[:2, :2], np.array([0, 0])), None, 15).accuracy_in_scope == 0.5
