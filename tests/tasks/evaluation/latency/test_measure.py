from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ArtifactError, DataError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_baseline
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.evaluation.latency.machine import cpu_facts, usable_cores
from tasks.evaluation.latency.measure import benchmark, draw_texts, length_batches, median_text, summarise
from tasks.evaluation.latency.protocol import Open, Opened, Setting
from tasks.evaluation.latency.runtimes import open_runner_under_test
from tasks.evaluation.latency.threads import onnx_settings, thread_counts
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.report_file import read_report
from tasks.inference.classifier import Classifier
from tasks.serving.release.package import package_model
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher
from tests.tasks.serving.release.tiny_release import make_onnx_artifact

TEXTS = st.lists(st.text(max_size=12), min_size=1, max_size=40)
SMALLEST = BenchmarkConfig(warmups=1, timed=2, rounds=6, batch_size=2, throughput_rows=4, texts=6, tried=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset")


@pytest.fixture(scope="module")
def models(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    (root / "tfidf").mkdir()
    fit_baseline(BaselineConfig(), dataset, root / "tfidf")
    onnx = make_onnx_artifact(root / "onnx")
    package_model(onnx, root / "released")
    return {
        "tfidf": root / "tfidf",
        "teacher": write_teacher(root / "teacher"),
        "onnx": onnx,
        "released": root / "released",
    }


@pytest.mark.slow
@pytest.mark.whole_runs
def test_every_runtime_is_measured_beside_the_yardstick(
    dataset: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    metrics = benchmark(SMALLEST, models, dataset, tmp_path)
    report = read_report(tmp_path, BenchmarkReport)
    assert [timing.name for timing in report.models] == ["yardstick", *models]
    for timing in report.models:
        assert 0 < timing.text_p50_ms <= timing.p95_ms <= timing.p99_ms
        assert timing.rows_per_s > 0
        assert len(timing.round_p50_ms) == 6
    yardstick = report.timing("yardstick")
    assert 430e6 < yardstick.size_bytes < 445e6  # BERT-base: 109.5 million parameters of four bytes
    assert yardstick.p50_ms > 10 * report.timing("released").p50_ms
    assert yardstick.size_bytes > report.timing("teacher").size_bytes
    assert report.timing("onnx").spinning is not None
    assert report.idle_cpu_share < 0.3
    assert metrics["released_p50_ms"] == report.timing("released").p50_ms
    assert list(tmp_path.iterdir()) == [tmp_path / "report.json"]


def test_a_folder_without_a_model_is_named_before_anything_starts(
    dataset: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=f"{tmp_path} holds no model"):
        benchmark(SMALLEST, models | {"student": tmp_path}, dataset, tmp_path)


def test_no_test_rows_is_an_error(tmp_path: Path, models: dict[str, Path]) -> None:
    folder = write_dataset(tmp_path / "dataset")
    empty = pa.table(
        {
            "text": pa.array([], pa.string()),
            "label": pa.array([], pa.string()),
        }
    )
    pq.write_table(empty, folder / "data" / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match="test split has no rows"):
        benchmark(SMALLEST, models, folder, tmp_path)


def test_a_release_is_timed_as_the_class_that_users_are_told_to_use(models: dict[str, Path]) -> None:
    asked = Open(name="released", folder=models["released"], classes=3, cores=2)
    release = open_runner_under_test(asked)
    assert release.answer(["move money"]) == Classifier(models["released"]).predict(["move money"])
    artifact = open_runner_under_test(asked.model_copy(update={"folder": models["onnx"]}))
    assert isinstance(artifact.answer(["move money"]), np.ndarray)
    release.use(release.settings[-1])
    assert release.settings == artifact.settings


@given(TEXTS, st.integers(1, 50), st.integers(1, 9))
def test_batches_hold_texts_of_like_length(texts: list[str], rows: int, batch_size: int) -> None:
    batches = length_batches(texts, rows, batch_size)
    flat = [text for batch in batches for text in batch]
    assert len(flat) == min(rows, len(texts))
    assert [len(text) for text in flat] == sorted(len(text) for text in flat)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert set(flat) <= set(texts)


@given(TEXTS)
def test_the_query_is_a_text_of_median_length_whatever_the_order(texts: list[str]) -> None:
    query = median_text(texts)
    assert query == median_text(texts[::-1])
    assert sorted(len(text) for text in texts)[len(texts) // 2] == len(query)


def test_percentiles_are_over_the_texts_and_the_median_of_the_query_apart() -> None:
    opened = Opened(runtime="onnxruntime 1", size_bytes=5)
    texts = 1_000_000 * np.arange(1, 102)
    timing = summarise("onnx", opened, Setting(threads=1), np.full((6, 2), 7_000_000), texts, 10.0)
    assert (timing.p50_ms, timing.text_p50_ms, timing.p95_ms, timing.p99_ms) == (7.0, 51.0, 96.0, 100.0)


def test_texts_are_drawn_at_random_each_once_and_the_same_each_time() -> None:
    texts = [f"text {i}" for i in range(50)]
    drawn = draw_texts(texts, 20)
    assert drawn == draw_texts(texts, 20) and len(set(drawn)) == 20 and drawn != sorted(drawn)
    assert sorted(draw_texts(texts, 900)) == sorted(texts)


def test_p50_is_the_median_of_the_rounds_medians_and_they_are_kept_in_their_order() -> None:
    opened = Opened(runtime="onnxruntime 1", size_bytes=5)
    rounds = np.array([[9, 9, 9], [1, 2, 3], [5, 4, 6], [2, 2, 90]]) * 1_000_000
    timing = summarise("onnx", opened, Setting(threads=1), rounds, rounds.ravel(), 10.0)
    assert timing.round_p50_ms == (9.0, 2.0, 5.0, 2.0)
    assert timing.p50_ms == 3.5


@given(st.integers(1, 128))
def test_one_thread_and_all_cores_are_tried(cores: int) -> None:
    counts = thread_counts(cores)
    assert (counts[0], counts[-1]) == (1, cores)
    assert all(low < high <= 2 * low for low, high in pairwise(counts))
    assert len(set(onnx_settings(cores))) == len(onnx_settings(cores)) == (1 if cores == 1 else 3)


def test_the_machine_is_described() -> None:
    name, flags = cpu_facts()
    assert name
    assert list(flags) == list(dict.fromkeys(flags))
    assert usable_cores() >= 1
