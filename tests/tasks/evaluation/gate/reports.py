"""Evaluation, benchmark and predictions with figures like those of a real run, small enough to read."""

from pathlib import Path

import numpy as np

from tasks.formats.benchmark_report import BenchmarkReport, Timing
from tasks.formats.evaluation_report import ClassScores, Confusion, Difference, EvaluationReport, ModelScores
from tasks.formats.predictions import Decision, Predictions
from tasks.formats.predictions import write_predictions as write
from tasks.formats.shares import Shares

LABELS = ("balance", "pin_change", "oos")


def scores(name: str, accuracy: float) -> ModelScores:
    """Scores of a model whose other figures follow its accuracy."""
    return ModelScores(
        name=name,
        accuracy=accuracy,
        macro_f1=accuracy - 0.004,
        micro_f1=accuracy,
        roc_auc=0.99,
        expected_calibration_error=0.03,
        aurc=0.02,
        expected_share=0.18,
        accuracy_validation_share=accuracy - 0.02,
        calibration_error_validation_share=0.08,
        out_of_scope_recall_validation_share=0.67,
        accuracy_argmax=accuracy - 0.06,
        accuracy_in_scope=accuracy + 0.03,
        accuracy_in_scope_ruled=accuracy + 0.01,
        out_of_scope_recall=0.8,
        auroc=0.97,
    )


def difference(accuracy: float) -> Difference:
    """A point on either side."""
    return Difference(accuracy=accuracy, interval=(accuracy - 0.01, accuracy + 0.01))


def evaluation(
    test_rows: int, tfidf: float | None = 0.868, teacher: float = 0.932, released: float = 0.913
) -> EvaluationReport:
    """An evaluation of all models on three classes; `tfidf=None` leaves the baseline out."""
    models = [
        scores("teacher", teacher),
        scores("student", 0.917),
        scores("onnx", 0.917),
        scores("onnx_int8", released),
    ]
    models.append(scores("released", released))
    if tfidf is not None:
        models.insert(0, scores("tfidf", tfidf))
    return EvaluationReport(
        test_rows=test_rows,
        labels=LABELS,
        out_of_scope="oos",
        shares=Shares(expected=0.18, source="the test split's", validation=0.032, test=0.1818),
        against_baseline=None if tfidf is None else difference(released - tfidf),
        models=tuple(models),
        per_class=tuple(
            ClassScores(label=name, precision=0.9, recall=0.9, f1=0.9, support=30) for name in LABELS
        ),
        confusions=(Confusion(actual="oos", predicted="balance", count=4),),
    )


def timing(name: str, megabytes: float, p50: float, rounds: int = 15) -> Timing:
    """Size and speed of one runtime; its rounds lie 2% around their median, in another order for each name."""
    order = (np.arange(rounds) * 4 + len(name)) % rounds
    spread = np.linspace(0.98, 1.02, rounds)[order] if rounds > 1 else np.ones(rounds)
    return Timing(
        name=name,
        runtime="onnxruntime 1.31.1" if "onnx" in name or name == "released" else "torch 2.13.0",
        threads=1,
        size_bytes=int(megabytes * 1e6),
        p50_ms=p50,
        text_p50_ms=p50 * 1.1,
        p95_ms=p50 * 1.2,
        p99_ms=p50 * 1.5,
        rows_per_s=1_000 / p50,
        round_p50_ms=tuple((p50 * spread).tolist()),
    )


def benchmark(
    released_megabytes: float = 4.9, released_p50: float = 0.38, rounds: int = 15
) -> BenchmarkReport:
    """A benchmark of all seven rows."""
    return BenchmarkReport(
        query="What is the pin number for my account?",
        warmups=2,
        timed=12,
        rounds=rounds,
        texts=150,
        batch_size=32,
        cpu="Intel Xeon",
        cpu_flags=("avx512_vnni",),
        cores=2,
        models=(
            timing("tfidf", 19.2, 0.31, rounds),
            timing("yardstick", 438.1, 47.2, rounds),
            timing("teacher", 91.4, 8.1, rounds),
            timing("student", 19.0, 2.1, rounds),
            timing("onnx", 18.2, 0.74, rounds),
            timing("onnx_int8", 4.9, 0.39, rounds),
            timing("released", released_megabytes, released_p50, rounds),
        ),
    )


def write_predictions(folder: Path, answers: np.ndarray) -> Path:
    """A predictions folder whose argmax is `answers` [n]."""
    folder.mkdir(parents=True, exist_ok=True)
    logits = np.eye(len(LABELS), dtype=np.float32)[answers]
    decision = Decision(rule=None, temperature=1.0)
    write(folder, "test", Predictions(logits, logits[:, -1], decision))
    return folder


def wrong_on(labels: np.ndarray, rows: slice) -> np.ndarray:
    """Answers that are right but for `rows`."""
    answers = labels.copy()
    answers[rows] = (answers[rows] + 1) % len(LABELS)
    return answers
