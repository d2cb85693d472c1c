import pickle
import weakref
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import ModelProto, numpy_helper
from torch import nn

from infra.errors import DataError
from tasks.compression.quantization.calibration import (
    Entropy,
    Histogram,
    MinMax,
    Percentile,
    calibrate,
)
from tasks.compression.quantization.config import CalibrationConfig, Ranges
from tasks.compression.quantization.layers import find_layers
from tasks.compression.quantization.static import find_ranges
from tasks.inference.exported import Feeds
from tasks.models.model import SentenceClassifier
from tests.tasks.compression.quantization.conftest import Made

VALUES = hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32))
KINDS: tuple[Ranges, ...] = ("min_max", "percentile", "entropy")
BINS = 512


def seen(collector: MinMax, batches: list[np.ndarray]) -> MinMax:
    for batch in batches:
        collector.add(batch)
    return collector


@given(VALUES, st.integers(1, 7), st.randoms(use_true_random=False))
def test_batches_and_their_order_do_not_change_the_counts(values: np.ndarray, parts: int, random) -> None:
    batches = [part for part in np.array_split(values, parts) if len(part)]
    random.shuffle(batches)
    streamed, at_once = Histogram(BINS), Histogram(BINS)
    seen(streamed, batches)
    seen(at_once, [values])
    assert np.array_equal(streamed.counts, at_once.counts)
    assert (streamed.limit, streamed.range()) == (at_once.limit, at_once.range())


@given(VALUES)
def test_every_value_is_counted_where_it_lies(values: np.ndarray) -> None:
    histogram = Histogram(BINS)
    histogram.add(values)
    edges = np.linspace(-histogram.limit, histogram.limit, BINS + 1)
    assert np.array_equal(histogram.counts, np.histogram(values.astype(np.float64), edges)[0])
    assert histogram.range() == (values.min(), values.max())


@given(VALUES, st.sampled_from([60.0, 99.0, 100.0]))
def test_a_percentile_keeps_its_share_and_never_more_than_was_seen(
    values: np.ndarray, percentile: float
) -> None:
    collector = Percentile(BINS, percentile)
    collector.add(values)
    low, high = collector.range()
    assert values.min() <= low <= high <= values.max()
    kept = np.mean((values >= low) & (values <= high))
    assert kept >= percentile / 100 - 1e-9
    if percentile == 100:
        assert (low, high) == (values.min(), values.max())


def test_a_percentile_is_that_of_the_values_to_within_a_bin() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    collector = Percentile(8192, 99.0)
    seen(collector, np.array_split(values, 13))
    np.testing.assert_allclose(collector.range(), np.percentile(values, [0.5, 99.5]), atol=collector.width)


def reference_entropy_threshold(magnitudes: np.ndarray) -> int:
    """Migacz 2017, slide 38, written plainly: the number of bins to keep."""
    best, threshold = np.inf, 0
    for bins in range(128, np.flatnonzero(magnitudes).max() + 2):
        p = [float(count) for count in magnitudes[:bins]]
        p[-1] += float(sum(magnitudes[bins:]))
        q = [0.0] * bins
        for level in range(128):
            places = range(level * bins // 128, (level + 1) * bins // 128)
            filled = [i for i in places if magnitudes[i] > 0]
            for i in filled:
                q[i] = float(sum(magnitudes[places.start : places.stop])) / len(filled)
        loss, total_p, total_q = 0.0, sum(p), sum(q)
        for one, other in zip(p, q, strict=True):
            if one > 0:
                loss += one / total_p * np.log(one / total_p / (other / total_q)) if other else np.inf
        if loss < best:
            best, threshold = loss, bins
    return threshold


def test_entropy_takes_the_threshold_of_least_divergence() -> None:
    values = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    values[:4] = [9.0, -8.5, 7.0, 8.0]
    collector = Entropy(1024)
    collector.add(values)
    magnitudes, _ = np.histogram(np.abs(values), 512, range=(0, collector.limit))
    expected = reference_entropy_threshold(magnitudes) * collector.width
    assert collector.range() == pytest.approx((-expected, expected))
    assert expected < 7  # the rarest values are cut off


def test_entropy_cuts_nothing_off_where_nothing_is_rare() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, size=50_000).astype(np.float32)
    assert seen(Entropy(BINS), [values]).range() == pytest.approx((values.min(), values.max()))


def test_a_value_that_is_always_the_same_has_a_range() -> None:
    for collector in (MinMax(), Percentile(BINS, 99.0), Entropy(BINS)):
        assert seen(collector, [np.zeros(5, np.float32)]).range() == (0, 0)
        assert 0 <= seen(collector, [np.full(5, 3.0, np.float32)]).range().high <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_batches(made: Made, kind: Ranges) -> None:
    """The activations of 60 batches are 236 MB, in memory of ONNX Runtime that tracemalloc does not see."""
    ids = np.full((64, 32), 7)
    held: list[int] = []

    def stream() -> Iterator[Feeds]:
        for _ in range(60):
            held.append(psutil.Process().memory_info().rss)
            yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    find_ranges(CalibrationConfig(ranges=kind, bins=512), made.graph, stream())
    assert max(held[6:]) - held[5] < 30e6


def test_a_histogram_of_ten_times_the_batches_is_no_larger() -> None:
    def size(count: int) -> int:
        histogram, random = Histogram(2048), np.random.default_rng(0)
        for i in range(count):
            histogram.add((i + 1) * random.normal(size=1000))  # the limit grows, the bins do not
        return len(pickle.dumps(histogram))

    assert size(1000) == size(100)


def test_a_feed_is_forgotten_before_the_next_one(made: Made) -> None:
    held: list[weakref.ref] = []

    def stream() -> Iterator[Feeds]:
        for feed in made.feeds:
            ids = np.array(feed["input_ids"])
            assert all(ref() is None for ref in held[:-1])
            held.append(weakref.ref(ids))
            yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    find_ranges(CalibrationConfig(), made.graph, stream())
    assert len(held) == len(made.feeds)


def test_a_collector_keeps_nothing_of_what_it_saw() -> None:
    for collector in (MinMax(), Percentile(BINS, 99.0), Entropy(BINS)):
        arrays = [np.random.default_rng(i).normal(size=1000) for i in range(20)]
        held = [weakref.ref(array) for array in arrays]
        seen(collector, arrays)
        del arrays
        assert all(ref() is None for ref in held)


def test_min_max_is_that_of_what_goes_into_the_layers_in_pytorch(made: Made) -> None:
    model = SentenceClassifier.load(made.checkpoint)
    inputs: dict[str, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(
                lambda _, args, name=name: inputs.setdefault(name, []).append(args[0])
            )
    with torch.inference_mode():
        for feed in made.feeds:
            model(*(torch.from_numpy(feed[name]) for name in ("input_ids", "attention_mask")))
    expected = {(min(v.min() for v in vs).item(), max(v.max() for v in vs).item()) for vs in inputs.values()}
    found = find_ranges(CalibrationConfig(), made.graph, made.feeds)
    assert len(found) == 13  # query, key and value share one
    for low, high in found.values():
        assert min(abs(low - a) + abs(high - b) for a, b in expected) < 1e-3


def test_nothing_to_calibrate_with_is_refused(made: Made) -> None:
    with pytest.raises(DataError, match="no texts"):
        calibrate(CalibrationConfig(), made.graph, [], [])


def test_an_activation_that_is_not_finite_is_refused(made: Made) -> None:
    model = ModelProto.FromString(made.graph.SerializeToString())
    layer = find_layers(model.graph)[4]
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == layer.weight)
    weight.CopyFrom(numpy_helper.from_array(np.full(weight.dims, np.inf, np.float32), weight.name))
    with pytest.raises(DataError, match="train again"):
        find_ranges(CalibrationConfig(), model, made.feeds)
