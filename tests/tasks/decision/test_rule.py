import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.errors import DataError
from tasks.decision.rule import apply_rule, choose_rule, score
from tasks.formats.dataset import DatasetInfo
from tasks.formats.out_of_scope import OutOfScopeRule, Score

CLASSES, OUTSIDE = 5, 4
INFO = DatasetInfo(labels=("a", "b", "c", "d", "oos"), out_of_scope="oos", rows={}, words_p50=5, words_p99=9)
LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.just(CLASSES)),
    elements=st.floats(-50, 50, width=32),
)
KINDS = st.sampled_from(["energy", "log_odds", "confidence"])


def rule_of(kind: Score, threshold: float) -> OutOfScopeRule:
    return OutOfScopeRule(label="oos", score=kind, threshold=threshold, expected_share=0.2)


def queries(rows: int, outside: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels: a served query has one large logit, an unknown one has none."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([random.integers(0, OUTSIDE, rows - outside), np.full(outside, OUTSIDE)])
    logits = random.normal(size=(rows, CLASSES))
    served = labels < OUTSIDE
    logits[np.flatnonzero(served), labels[served]] += 4 + random.normal(size=served.sum())
    return logits.astype(np.float32), labels


def accuracy(logits: np.ndarray, labels: np.ndarray, rule: OutOfScopeRule | None) -> float:
    return float((apply_rule(logits, rule, OUTSIDE).argmax(axis=1) == labels).mean())


@given(LOGITS, KINDS, st.floats(-60, 60))
def test_out_of_scope_wins_exactly_when_the_score_is_under_the_threshold(
    logits: np.ndarray, kind: Score, threshold: float
) -> None:
    margin = score(logits, OUTSIDE, kind) - threshold
    answers = apply_rule(logits, rule_of(kind, threshold), OUTSIDE).argmax(axis=1)
    clear = np.abs(margin) > 1e-4  # float32 cannot tell closer ones apart
    assert ((answers == OUTSIDE) == (margin < 0))[clear].all()


@given(LOGITS, KINDS, st.floats(-60, 60))
def test_in_scope_logits_and_the_input_are_left_alone(
    logits: np.ndarray, kind: Score, threshold: float
) -> None:
    before = logits.copy()
    ruled = apply_rule(logits, rule_of(kind, threshold), OUTSIDE)
    assert np.array_equal(ruled[:, :OUTSIDE], before[:, :OUTSIDE])
    assert np.array_equal(logits, before)
    assert ruled.dtype == np.float32


@given(LOGITS, st.integers(0, CLASSES - 1))
def test_energy_is_the_logsumexp_of_the_other_logits(logits: np.ndarray, column: int) -> None:
    exact = logits.astype(np.float64)
    others = [i for i in range(CLASSES) if i != column]
    plain = np.log(np.exp(exact[:, others]).sum(axis=1))
    np.testing.assert_allclose(score(logits, column, "energy"), plain, atol=1e-9)
    np.testing.assert_allclose(score(logits, column, "log_odds"), plain - exact[:, column], atol=1e-9)
    share = np.exp(exact[:, others]) / np.exp(exact[:, others]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(score(logits, column, "confidence")), share.max(axis=1), atol=1e-9)


def test_huge_logits_do_not_overflow() -> None:
    assert score(np.full((1, CLASSES), 1e4), OUTSIDE, "energy") == pytest.approx(1e4 + np.log(4))


def test_the_energy_threshold_can_be_chosen_again_from_ruled_logits() -> None:
    logits, labels = queries(400, 60)
    rule = choose_rule(logits, labels, INFO, 0.2)
    ruled = apply_rule(logits, rule, OUTSIDE)
    assert rule is not None
    assert rule.score == "energy"
    assert choose_rule(ruled, labels, INFO, 0.2) == rule


def test_the_chosen_rule_answers_better_than_plain_argmax_and_near_the_best_threshold() -> None:
    logits, labels = queries(2000, 400)
    rule = choose_rule(logits, labels, INFO, None)
    best = max(accuracy(logits, labels, rule_of("energy", t)) for t in np.linspace(0, 8, 200))
    assert accuracy(logits, labels, rule) > accuracy(logits, labels, None) + 0.05
    assert accuracy(logits, labels, rule) > best - 0.005


def test_more_out_of_scope_traffic_raises_the_threshold() -> None:
    logits, labels = queries(1000, 100)
    rules = [choose_rule(logits, labels, INFO, share) for share in (0.02, 0.2, 0.6)]
    thresholds = [rule.threshold for rule in rules if rule]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[2]


def test_without_a_share_that_of_validation_counts() -> None:
    logits, labels = queries(300, 50)
    own = choose_rule(logits, labels, INFO, None)
    assert own is not None
    assert own.expected_share == pytest.approx(50 / 300, abs=1e-6)
    assert own == choose_rule(logits, labels, INFO, 50 / 300)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_traffic_of_one_side_alone_is_answered_on_that_side(share: float) -> None:
    logits, labels = queries(200, 30)
    rule = choose_rule(logits, labels, INFO, share)
    assert rule is not None
    assert np.isfinite(rule.threshold)
    outside = apply_rule(logits, rule, OUTSIDE).argmax(axis=1) == OUTSIDE
    expected_rows = (labels == OUTSIDE) == (share == 1.0)
    assert outside[expected_rows].mean() == pytest.approx(share, abs=0.01)


def test_log_odds_is_taken_where_the_class_itself_was_learned() -> None:
    logits, labels = queries(1000, 400)
    logits[labels < OUTSIDE] -= np.float32(3)  # the energy tells nothing any more
    logits[np.arange(1000), OUTSIDE] += np.where(labels == OUTSIDE, 4, -8).astype(np.float32)
    rule = choose_rule(logits, labels, INFO, None)
    assert rule is not None
    assert rule.score == "log_odds"
    assert accuracy(logits, labels, rule) > 0.9


def test_confidence_is_taken_where_logits_of_unknown_texts_are_large_but_alike() -> None:
    logits, labels = queries(1000, 400)
    logits += np.where(labels == OUTSIDE, 4, 0)[:, None].astype(np.float32)  # the energy is turned around
    logits[:, OUTSIDE] = 0
    rule = choose_rule(logits, labels, INFO, None)
    assert rule is not None
    assert rule.score == "confidence"
    assert accuracy(logits, labels, rule) > 0.8


def test_the_threshold_is_steadier_than_the_best_one_of_few_rows() -> None:
    test_logits, test_labels = queries(20_000, 4_000, seed=99)
    chosen, plain = [], []
    for seed in range(25):
        logits, labels = queries(1060, 60, seed)
        rule = choose_rule(logits, labels, INFO, 0.2)
        grid = np.linspace(0, 8, 400)
        mass = np.where(labels == OUTSIDE, 0.2 / 60, 0.8 / 1000)
        values, best_class = score(logits, OUTSIDE, "energy"), logits[:, :OUTSIDE].argmax(axis=1)
        right = [np.where(values < t, labels == OUTSIDE, best_class == labels) @ mass for t in grid]
        chosen.append(accuracy(test_logits, test_labels, rule))
        plain.append(accuracy(test_logits, test_labels, rule_of("energy", float(grid[np.argmax(right)]))))
    assert np.std(chosen) < np.std(plain)
    assert np.mean(chosen) > np.mean(plain)


def test_data_without_an_out_of_scope_label_have_no_rule() -> None:
    info = INFO.model_copy(update={"labels": ("a", "b"), "out_of_scope": None})
    logits = np.array([[1.0, 2.0]], dtype=np.float32)
    assert choose_rule(logits, np.array([1]), info, None) is None
    assert np.array_equal(apply_rule(logits, None, None), logits)


@pytest.mark.parametrize("label", [0, OUTSIDE])
def test_validation_of_one_side_alone_is_refused_with_what_to_do(label: int) -> None:
    logits, _ = queries(20, 5)
    with pytest.raises(DataError, match=r"out-of-scope rows of 20.*Put some rows of 'oos'"):
        choose_rule(logits, np.full(20, label), INFO, None)
