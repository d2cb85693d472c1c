from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_baseline
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.evaluation.latency.measure import length_batches
from tests.benchmarks.side_by_side import THROUGHPUT_ROUNDS, mixed_batches, side_by_side
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher

SMALLEST = BenchmarkConfig(
    warmups=1, timed=2, rounds=6, batch_size=4, throughput_rows=8, texts=4, tried=1, yardstick_layers=1
)


@pytest.mark.slow
def test_every_model_is_measured_at_its_best_and_at_one_thread_in_every_round(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset")
    (tmp_path / "tfidf").mkdir()
    fit_baseline(BaselineConfig(), dataset, tmp_path / "tfidf")
    models = {"tfidf": tmp_path / "tfidf"}
    found = side_by_side(SMALLEST, models, write_teacher(tmp_path / "teacher"), dataset)
    assert [model.name for model in found.models] == ["yardstick", "tfidf"]
    for model in found.models:
        assert len(model.best_ms) == len(model.one_thread_ms) == 6
        assert len(model.dynamic_rows_per_s) == len(model.bucketed_rows_per_s) == THROUGHPUT_ROUNDS
        assert all(value > 0 for value in (*model.best_ms, *model.one_thread_ms, *model.dynamic_rows_per_s))
    yardstick, tfidf = found.models
    assert tfidf.best_ms == tfidf.one_thread_ms  # it has one thread: timed once
    assert len(yardstick.padded_rows_per_s) == THROUGHPUT_ROUNDS
    assert tfidf.padded_rows_per_s == ()
    assert max(yardstick.padded_rows_per_s) < min(yardstick.dynamic_rows_per_s)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=40), st.integers(1, 50), st.integers(1, 9))
def test_mixed_batches_hold_the_same_texts(texts: list[str], rows: int, batch_size: int) -> None:
    by_length = length_batches(texts, rows, batch_size)
    mixed = mixed_batches(by_length, batch_size)
    flat = [[text for batch in batches for text in batch] for batches in (by_length, mixed)]
    assert sorted(flat[0]) == sorted(flat[1])
    assert [len(batch) for batch in mixed] == [len(batch) for batch in by_length]
    assert mixed == mixed_batches(by_length, batch_size)
