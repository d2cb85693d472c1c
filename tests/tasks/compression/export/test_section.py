"""What graphs and the check of them show, of a real export."""

from pathlib import Path

from tasks.compression.export.parity import check_parity
from tasks.compression.export.stages import check_parity as check_parity_stage
from tasks.compression.export.stages import export_onnx
from tasks.compression.quantization.stages import quantize
from tests.tasks.compression.conftest import Chain
from tests.tasks.compression.export.test_parity import LENIENT
from tests.tasks.sections import facts_of, shown


def test_each_graph_shows_the_rule_that_was_chosen_for_it(chain: Chain, tmp_path: Path) -> None:
    exported = facts_of(shown(export_onnx, chain.onnx, tmp_path / "onnx"))
    small = facts_of(shown(quantize, chain.int8, tmp_path / "int8"))
    assert exported["labels"] == small["labels"] == "4"
    assert (
        exported["out of scope"].startswith("oos where ")
        and exported["out of scope"] != small["out of scope"]
    )


def test_the_check_shows_every_figure_beside_its_bound(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    check_parity(LENIENT, chain.checkpoint, chain.onnx, chain.int8, chain.dataset, tmp_path / "out")
    table = shown(check_parity_stage, tmp_path / "out", tmp_path / "copy").tables[0]
    assert [(row["name"], row["batch_size"]) for row in table.rows] == [
        ("onnx", 1), ("onnx", 8), ("onnx_int8", 1), ("onnx_int8", 8)]  # fmt: skip
    assert [row["agreement_bound"] for row in table.rows] == [LENIENT.onnx_agreement] * 2 + [0.6] * 2
    assert all(row["agreement"] >= row["agreement_bound"] for row in table.rows)  # type: ignore[operator]
