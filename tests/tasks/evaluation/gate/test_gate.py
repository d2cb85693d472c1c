"""The gate: what passes, what fails, what is undecided, and how often it is wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.errors import ArtifactError
from tasks.evaluation.gate.conditions import judge_accuracy
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.gate import decide
from tasks.formats.gate_verdict import GateVerdict
from tests.tasks.evaluation.gate.reports import LABELS, benchmark, evaluation, write_predictions, wrong_on

ORDER = {"fail": 0, "needs_more_rows": 1, "pass": 2}


def judged(
    folder: Path,
    rows: int,
    lost: int,
    gained: int = 0,
    megabytes: float = 4.9,
    p50: float = 0.38,
    tfidf: float | None = 0.868,
    teacher: float = 0.932,
) -> GateVerdict:
    """A verdict on `rows` rows: the released model alone gets `lost` wrong and `gained` right."""
    labels = np.arange(rows) % len(LABELS)
    reference = write_predictions(folder / "teacher", wrong_on(labels, slice(rows - gained, rows)))
    candidate = write_predictions(folder / "released", wrong_on(labels, slice(0, lost)))
    report = evaluation(rows, tfidf=tfidf, teacher=teacher)
    return decide(GateConfig(), report, benchmark(megabytes, p50), reference, candidate, labels)


def test_a_small_loss_on_many_rows_passes(tmp_path: Path) -> None:
    verdict = judged(tmp_path, rows=4_500, lost=160, gained=75)
    assert verdict.verdict == "pass"
    assert verdict.accuracy_difference == pytest.approx(-85 / 4_500)
    assert -0.03 < verdict.interval[0] < verdict.accuracy_difference < verdict.interval[1] < 0
    assert verdict.bootstrap_interval == pytest.approx(verdict.interval, abs=0.001)
    assert verdict.power > 0.999
    assert verdict.mcnemar_p < 0.001 and verdict.rows_needed is None
    assert verdict.latency_ratio == pytest.approx(8.1 / 0.38) and verdict.size_ratio == pytest.approx(
        91.4 / 4.9
    )
    assert any(reason.startswith("Not worse by more than the margin") for reason in verdict.reasons)


def test_a_large_loss_fails(tmp_path: Path) -> None:
    verdict = judged(tmp_path, rows=4_500, lost=300, gained=20)
    assert verdict.verdict == "fail" and verdict.interval[1] < -0.03
    assert any(reason.startswith("Worse by more than the margin") for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("megabytes", "p50", "word"),
    [
        (91.4, 0.38, "Not smaller"),
        (4.9, 8.1, "Not shown to be faster"),
        (4.9, 8.09, "Not shown to be faster"),  # a little faster at the median, and no more than noise
        (4.9, 9.9, "Not faster"),
    ],
)
def test_an_equal_model_that_is_not_smaller_or_faster_fails(
    tmp_path: Path, megabytes: float, p50: float, word: str
) -> None:
    verdict = judged(tmp_path, rows=4_500, lost=0, megabytes=megabytes, p50=p50)
    assert verdict.verdict == "fail" and verdict.rows_needed is None
    assert any(reason.startswith(word) for reason in verdict.reasons)


def test_a_model_that_need_only_be_smaller_passes_and_its_speed_is_told(tmp_path: Path) -> None:
    labels = np.arange(4_500) % len(LABELS)
    folder = write_predictions(tmp_path, labels)
    given = evaluation(len(labels)), benchmark(4.9, 8.1), folder, folder, labels
    verdict = decide(GateConfig(faster=False), *given)
    assert decide(GateConfig(), *given).verdict == "fail" and verdict.verdict == "pass"
    assert any(reason.startswith("Not shown to be faster") for reason in verdict.reasons)
    larger = decide(GateConfig(faster=False), evaluation(len(labels)), benchmark(91.4, 8.1), *given[2:])
    assert larger.verdict == "fail"


def test_faster_needs_rounds_enough_for_an_interval(tmp_path: Path) -> None:
    labels = np.arange(4_500) % len(LABELS)
    folder = write_predictions(tmp_path, labels)
    few, enough = (
        decide(GateConfig(), evaluation(4_500), benchmark(rounds=rounds), folder, folder, labels)
        for rounds in (5, 6)
    )
    assert few.verdict == "fail" and few.latency_interval is None
    assert any("measured in 5 rounds. An interval needs 6" in reason for reason in few.reasons)
    assert enough.verdict == "pass" and enough.latency_interval is not None
    low, high = enough.latency_interval
    assert 1 < low < enough.latency_ratio < high
    assert any(f"{low:.1f} to {high:.1f} over 6 interleaved rounds" in reason for reason in enough.reasons)


def test_a_class_that_collapses_fails_a_model_that_is_accurate_enough(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], [30, 2_000, 2_000])
    reference = write_predictions(tmp_path / "teacher", labels)
    candidate = write_predictions(tmp_path / "released", wrong_on(labels, slice(0, 25)))
    given = evaluation(len(labels)), benchmark(), reference, candidate, labels
    verdict = decide(GateConfig(), *given)
    assert verdict.verdict == "fail" and verdict.interval[0] > -0.03
    assert [fall.label for fall in verdict.failed_classes] == [LABELS[0]]
    assert any(f"Classes that lost more than 10 points of recall: {LABELS[0]} -83.33 points on 30 rows" in reason
               for reason in verdict.reasons)  # fmt: skip
    assert decide(GateConfig(class_floor=1.0), *given).verdict == "pass"


def test_a_class_may_lose_what_all_together_may(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 1_000)
    reference = write_predictions(tmp_path / "teacher", labels)
    candidate = write_predictions(tmp_path / "released", wrong_on(labels, slice(0, 400)))
    config = GateConfig(margin=0.5)
    verdict = decide(config, evaluation(len(labels)), benchmark(), reference, candidate, labels)
    assert verdict.verdict == "pass" and verdict.class_floor == 0.5


@pytest.mark.parametrize(("lost", "outcome"), [(1, "most likely pass"), (8, "most likely fail")])
def test_few_rows_name_the_number_that_would_decide(tmp_path: Path, lost: int, outcome: str) -> None:
    verdict = judged(tmp_path, rows=100, lost=lost, gained=2)
    assert verdict.verdict == "needs_more_rows"
    assert verdict.rows_needed is not None and verdict.rows_needed > 100
    assert any(outcome in reason and f"{verdict.rows_needed:,}" in reason for reason in verdict.reasons)


def test_a_loss_of_exactly_the_margin_says_that_no_number_decides(tmp_path: Path) -> None:
    verdict = judged(tmp_path, rows=100, lost=3)
    assert verdict.verdict == "needs_more_rows" and verdict.rows_needed is None
    assert any("exactly the margin" in reason for reason in verdict.reasons)


def test_it_is_said_when_tfidf_is_better(tmp_path: Path) -> None:
    verdict = judged(tmp_path, rows=4_500, lost=10, tfidf=0.925)
    assert verdict.verdict == "pass" and verdict.beats_baseline is False
    assert any(
        "Does NOT beat the TF-IDF baseline, though the teacher does" in reason for reason in verdict.reasons
    )
    close = judged(tmp_path, rows=4_500, lost=10, tfidf=0.905)
    assert close.beats_baseline is False
    assert any(
        "Not shown to beat the TF-IDF baseline: 0.913 against 0.905" in reason for reason in close.reasons
    )
    neither = judged(tmp_path, rows=4_500, lost=10, tfidf=0.94)
    assert any("neither does the teacher" in reason for reason in neither.reasons)


def test_no_baseline_is_neither_beaten_nor_not(tmp_path: Path) -> None:
    assert judged(tmp_path, rows=4_500, lost=10, tfidf=None).beats_baseline is None


def test_predictions_of_other_rows_are_refused(tmp_path: Path) -> None:
    labels = np.zeros(50, dtype=np.int64)
    folder = write_predictions(tmp_path, labels)
    with pytest.raises(ArtifactError, match="51 test rows"):
        decide(GateConfig(), evaluation(51), benchmark(), folder, folder, labels)
    with pytest.raises(ArtifactError, match=r"test_logits\.npy cannot be read"):
        decide(GateConfig(), evaluation(50), benchmark(), tmp_path / "nowhere", folder, labels)


@pytest.mark.parametrize(
    "wrong", [{"margin": 0}, {"confidence": 1.0}, {"resamples": 10}, {"class_floor": 0}, {"marign": 0.1}]
)
def test_a_config_out_of_bounds_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GateConfig.model_validate(wrong)


@given(
    interval=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(lambda pair: (min(pair), max(pair))),
    margins=st.tuples(st.floats(0.001, 0.9), st.floats(0.001, 0.9)).map(lambda pair: (min(pair), max(pair))),
)
def test_a_wider_margin_never_makes_the_verdict_worse(
    interval: tuple[float, float], margins: tuple[float, float]
) -> None:
    strict, generous = (judge_accuracy(interval, margin) for margin in margins)
    assert ORDER[strict] <= ORDER[generous]
