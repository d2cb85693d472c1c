import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from infra.errors import ParityError
from tasks.compression.export.config import ParityConfig
from tasks.compression.export.parity import ParityReport, check_parity, choose_texts, compare
from tasks.formats.report_file import read_report
from tests.tasks.compression.conftest import Chain

# A tiny model of random weights says little about int8: what is tested is the check.
LENIENT = ParityConfig(rows=20, batch_size=8, int8_agreement=0.6, int8_difference=1.0)


def test_both_graphs_are_compared_alone_and_in_batches(chain: Chain, tmp_path: Path) -> None:
    metrics = check_parity(LENIENT, chain.checkpoint, chain.onnx, chain.int8, chain.dataset, tmp_path)
    report = read_report(tmp_path, ParityReport)
    made = [(check.name, check.batch_size) for check in report.checks]
    assert made == [("onnx", 1), ("onnx", 8), ("onnx_int8", 1), ("onnx_int8", 8)]
    assert report.longest_tokens == 32
    assert {check.texts for check in report.checks} == {20 + 4}
    assert metrics["onnx_agreement"] == 1
    assert metrics["onnx_difference"] < 1e-4 < metrics["onnx_int8_difference"]
    assert metrics["onnx_int8_agreement"] == min(c.agreement for c in report.checks[2:])


def tampered(chain: Chain, folder: Path) -> Path:
    """The float32 graph with one weight of its head moved."""
    shutil.copytree(chain.onnx, folder)
    model = onnx.load(folder / "model.onnx")
    tensor = next(t for t in model.graph.initializer if t.name == "model.head.weight")
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] += 0.5
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, folder / "model.onnx")
    return folder


def test_a_graph_with_a_wrong_weight_is_refused_with_the_worst_text_and_figures(
    chain: Chain, tmp_path: Path
) -> None:
    wrong = tampered(chain, tmp_path / "onnx")
    with pytest.raises(
        ParityError, match=r"onnx at batch 1 .* of 24 texts .*largest difference is 0\.\d+ .*, at '.*'"
    ):
        check_parity(LENIENT, chain.checkpoint, wrong, chain.int8, chain.dataset, tmp_path)
    assert not (tmp_path / "report.json").exists()


def test_a_tokenizer_that_pads_with_another_token_or_cuts_elsewhere_is_found(
    chain: Chain, tmp_path: Path
) -> None:
    shutil.copytree(chain.onnx, tmp_path / "onnx")
    path = tmp_path / "onnx" / "tokenizer.json"
    path.write_text(path.read_text().replace('"max_length":32', '"max_length":16'))
    with pytest.raises(ParityError, match="onnx at batch 1"):
        check_parity(LENIENT, chain.checkpoint, tmp_path / "onnx", chain.int8, chain.dataset, tmp_path)


@pytest.mark.parametrize(
    "bounds", [{"int8_difference": 1e-6}, {"int8_agreement": 1.0, "int8_difference": 1e-6}]
)
def test_int8_beyond_its_bounds_is_refused_with_what_to_do(
    chain: Chain, tmp_path: Path, bounds: dict[str, float]
) -> None:
    strict = LENIENT.model_copy(update=bounds)
    with pytest.raises(ParityError, match=r"onnx_int8 at batch 1 .*Quantize without embeddings"):
        check_parity(strict, chain.checkpoint, chain.onnx, chain.int8, chain.dataset, tmp_path)


def test_texts_are_spread_over_the_split_and_end_with_the_edges() -> None:
    texts = [f"text number {i}" for i in range(100)]
    chosen = choose_texts(texts, 10, 16)
    assert chosen[0] == texts[0]
    assert chosen[9] == texts[-1]
    assert chosen[10:13] == ["", "text", "text number 10"]
    assert len(chosen[13].split()) > 16
    assert len(choose_texts(texts[:3], 10, 16)) == 3 + 4


def test_figures_are_those_of_the_worst_text_against_the_median_range() -> None:
    expected = np.array([[0.0, 4.0], [1.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    found = np.array([[0.0, 4.5], [0.0, 1.0], [0.0, 2.0]], dtype=np.float32)
    parity = compare("onnx", 1, ["a", "b", "c"], expected, found)
    assert parity.agreement == pytest.approx(2 / 3)
    assert parity.difference == 1
    assert parity.relative_difference == 0.5  # of the median range, 2
    assert parity.worst_text == "b"


def test_nan_is_an_infinite_difference() -> None:
    expected = np.zeros((1, 2), dtype=np.float32)
    assert compare("onnx", 1, ["a"], expected, np.full((1, 2), np.nan, np.float32)).difference == np.inf
