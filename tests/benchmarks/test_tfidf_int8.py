import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from infra.errors import ArtifactError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_baseline
from tasks.formats.dataset import load_split
from tasks.formats.model_files import inference_bytes
from tasks.formats.model_folder import kind_of
from tasks.inference.runner import open_runner
from tests.benchmarks.tfidf_int8 import quantize_tfidf, to_int8
from tests.tasks.models.tiny_encoder import write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset", rows=80)


@pytest.fixture
def baseline(dataset: Path, tmp_path: Path) -> Path:
    (folder := tmp_path / "tfidf").mkdir()
    fit_baseline(BaselineConfig(), dataset, folder)
    return folder


def test_it_is_a_smaller_baseline_with_a_rule_of_its_own(
    dataset: Path, baseline: Path, tmp_path: Path
) -> None:
    (folder := tmp_path / "int8").mkdir()
    metrics = quantize_tfidf(baseline, dataset, folder, None)
    texts = load_split(dataset, "test").texts
    answers, expected = (open_runner(made).logits(texts) for made in (folder, baseline))
    assert kind_of(folder) == "tfidf"
    assert load_file(folder / "model.safetensors")["weight"].dtype == np.int8
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9
    assert inference_bytes(folder) < inference_bytes(baseline)
    assert metrics["validation_accuracy"] > 0.9
    thresholds = [
        json.loads((made / "baseline.json").read_text())["rule"]["threshold"] for made in (folder, baseline)
    ]
    assert thresholds[0] != thresholds[1]
    assert abs(thresholds[0] - thresholds[1]) < 0.5


def test_a_damaged_baseline_is_refused(dataset: Path, baseline: Path, tmp_path: Path) -> None:
    (baseline / "vocabulary.json").write_text("{")
    with pytest.raises(ArtifactError, match="no TF-IDF baseline"):
        quantize_tfidf(baseline, dataset, tmp_path, None)


@given(arrays(np.float32, (5, 3), elements=st.floats(-1e3, 1e3, width=32)))
def test_no_weight_is_further_off_than_half_a_step_of_its_class(weight: np.ndarray) -> None:
    codes, scale = to_int8(weight)
    assert (codes.dtype, scale.shape) == (np.int8, (3,))
    assert (np.abs(codes * scale - weight) <= scale * 0.501).all()
