import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.errors import DataError
from tasks.compression.quantization.answers import divergence, graph_logits, subsample_evenly, text_feeds
from tests.tasks.compression.quantization.conftest import Made

LOGITS = hnp.arrays(np.float32, (4, 3), elements=st.floats(-20, 20, width=32))


@given(LOGITS, LOGITS)
def test_divergence_is_the_mean_over_the_texts(first: np.ndarray, second: np.ndarray) -> None:
    found = divergence(first, second)
    total = 0.0
    for one, other in zip(first.astype(float), second.astype(float), strict=True):
        p, q = (np.exp(row) / np.exp(row).sum() for row in (one, other))
        total += float(sum(p * np.log(p / q)))
    assert found.kl == pytest.approx(total / 4, abs=1e-6)
    assert found.kl >= -1e-12
    assert divergence(first, first) == (1, 0)
    assert found.agreement == sum(a.argmax() == b.argmax() for a, b in zip(first, second, strict=True)) / 4


def test_each_text_is_asked_by_itself(made: Made) -> None:
    feeds = list(text_feeds(made.onnx, ["rain", "what is my balance please"]))
    assert [feed["input_ids"].shape[0] for feed in feeds] == [1, 1]
    assert all(feed["attention_mask"].all() for feed in feeds)
    assert graph_logits(made.graph, feeds).shape == (2, 4)


def test_no_texts_are_refused(made: Made) -> None:
    with pytest.raises(DataError, match="no texts"):
        text_feeds(made.onnx, [])


@given(st.integers(1, 40), st.integers(1, 60))
def test_some_texts_are_spread_over_all(rows: int, count: int) -> None:
    texts = [str(i) for i in range(rows)]
    chosen = subsample_evenly(texts, count)
    assert len(chosen) == min(rows, count)
    assert chosen[0] == "0"
    assert count == 1 or rows == 1 or chosen[-1] == texts[-1]
    assert [int(text) for text in chosen] == sorted({int(text) for text in chosen})
