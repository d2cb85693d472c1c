"""Calibration: the range of each activation over many texts, in memory that does not grow with them.

ONNX Runtime's own calibrators do not fit: its histogram collector keeps every activation of a run until the end and
then stacks them, which fails for texts of different lengths; its histograms get as many bins as the first batch's width
goes into the largest value; as many bins as levels by default, its entropy has a single candidate; and it looks for
activations by shape inference, which ends at the first fused attention. What is found here goes into
`quantize_static` as its calibration cache.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, helper
from scipy.stats import entropy

from infra.errors import DataError
from tasks.compression.quantization.answers import open_graph
from tasks.compression.quantization.config import CalibrationConfig
from tasks.inference.exported import Feeds

LEVELS = 128  # integers of int8 for absolute values
SMALLEST = 2.0**-24  # limit of a histogram that has seen nothing but zeros


class Range(NamedTuple):
    """What an activation's integers span."""

    low: float
    high: float


class MinMax:
    """Sees the values of one activation batch by batch and forgets them: the smallest and the largest are left."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        """Take notice of `values`, float of any shape."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def range(self) -> Range:
        """The range after all batches: all that was seen."""
        return Range(self.low, self.high)


class Histogram(MinMax):
    """Counts in a fixed number of bins over (-limit, limit), where the limit is a power of two and so is a bin's width.

    A value beyond the limit doubles it: pairs of bins become one. So the counts are those of one histogram over all
    values at once, whatever batches they came in.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.counts = np.zeros(bins, dtype=np.int64)
        self.limit = SMALLEST

    @property
    def width(self) -> float:
        """Width of a bin."""
        return 2 * self.limit / len(self.counts)

    def add(self, values: np.ndarray) -> None:
        """Count the values."""
        super().add(values)
        while max(self.high, -self.low) >= self.limit:
            self._double()
        # In float64 the division by a power of two is exact for the smallest float32 too.
        places = (
            np.floor(values.ravel().astype(np.float64) / self.width).astype(np.int64) + len(self.counts) // 2
        )
        self.counts += np.bincount(places, minlength=len(self.counts))

    def _double(self) -> None:
        quarter = len(self.counts) // 4
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.pad(merged, quarter)
        self.limit *= 2

    def within(self, low: float, high: float) -> Range:
        """The range from `low` to `high`, but never beyond what was seen."""
        return Range(max(low, self.low), min(high, self.high))


class Percentile(Histogram):
    """The range that holds `percentile` percent of the values, as many cut off on either side."""

    def __init__(self, bins: int, percentile: float) -> None:
        super().__init__(bins)
        self.tail = (1 - percentile / 100) / 2

    def range(self) -> Range:
        """From the lower edge of the first bin kept to the upper one of the last."""
        below = np.cumsum(self.counts) / self.counts.sum()
        first = int(np.searchsorted(below, self.tail, side="right"))
        last = int(np.searchsorted(below, 1 - self.tail))
        return self.within(first * self.width - self.limit, (last + 1) * self.width - self.limit)


class Entropy(Histogram):
    """The range whose int8 form has the least KL divergence from the distribution of absolute values.

    Migacz 2017 (8-bit Inference with TensorRT, GTC): values beyond a candidate threshold count at it, as saturation
    does; the rest is told apart by 128 levels.
    """

    def range(self) -> Range:
        """The best threshold on either side of zero."""
        half = len(self.counts) // 2
        magnitudes = (self.counts[half:] + self.counts[:half][::-1]).astype(np.float64)
        used = int(np.flatnonzero(magnitudes)[-1]) + 1
        losses = {bins: _loss_of_threshold(magnitudes, bins) for bins in range(LEVELS, used + 1)}
        threshold = min(losses, key=lambda bins: losses[bins], default=used) * self.width
        return self.within(-threshold, threshold)


def _loss_of_threshold(magnitudes: np.ndarray, bins: int) -> float:
    """KL divergence, nats, of a histogram that saturates after `bins` bins from its form in 128 levels."""
    kept = magnitudes[:bins]
    saturated = kept.copy()
    saturated[-1] += magnitudes[bins:].sum()
    starts = np.arange(LEVELS) * bins // LEVELS
    filled = (kept > 0).astype(np.float64)
    mass, places = np.add.reduceat(kept, starts), np.add.reduceat(filled, starts)
    level = np.repeat(mass / np.maximum(places, 1), np.diff([*starts, bins]))
    return float(entropy(saturated, level * filled))


def new_collector(config: CalibrationConfig) -> MinMax:
    """What watches one activation."""
    if config.ranges == "percentile":
        return Percentile(config.bins, config.percentile)
    return Entropy(config.bins) if config.ranges == "entropy" else MinMax()


def calibrate(
    config: CalibrationConfig, model: ModelProto, activations: Sequence[str], feeds: Iterable[Feeds]
) -> dict[str, Range]:
    """The range of each of `activations`, float values of the graph, over `feeds`, of which one is held at a time.

    Raises DataError when there are no feeds or an activation is NaN or infinite.
    """
    watched = ModelProto.FromString(model.SerializeToString())
    outputs = {output.name for output in watched.graph.output}
    for name in activations:
        if name not in outputs:
            watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_graph(watched, optimised=False)
    collectors = {name: new_collector(config) for name in activations}
    seen = 0
    for feed in feeds:
        for name, values in zip(activations, session.run(list(activations), feed), strict=True):
            if not np.isfinite(values).all():
                raise DataError(
                    f"the activation {name} has NaN or infinity at text {seen}: expected finite values. The model's "
                    "weights are damaged or its training diverged: train again."
                )
            collectors[name].add(values)
        seen += 1
    if not seen:
        raise DataError("there are no texts to calibrate with: expected at least one. Give some.")
    return {name: collector.range() for name, collector in collectors.items()}
