from pathlib import Path

import onnx
import pytest

from tasks.formats.model_files import inference_bytes
from tasks.formats.onnx_folder import read_tokenizer
from tasks.inference.runner import open_runner
from tests.benchmarks.bert_base import make_bert_base
from tests.benchmarks.work import holds_int8
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher


@pytest.mark.slow
def test_one_layer_of_bert_base_in_int8_is_opened_as_any_model(tmp_path: Path) -> None:
    dataset, teacher = write_dataset(tmp_path / "dataset"), write_teacher(tmp_path / "teacher")
    (folder := tmp_path / "bert").mkdir()
    metrics = make_bert_base(teacher, dataset, folder, layers=1)
    runner, graph = open_runner(folder, threads=1), onnx.load(folder / "model.onnx").graph
    assert runner.logits(["what is my balance", "rain"]).shape == (2, 4)
    assert runner.rule is None
    assert read_tokenizer(folder).truncation["max_length"] == 512
    assert metrics == {"size_mb": inference_bytes(folder) / 1e6}
    assert holds_int8(graph)
    # 30,522 tokens, 512 positions and one layer of 768, a byte each; float32 would be four times that.
    assert 31 < metrics["size_mb"] < 36
    kinds = [node.op_type for node in graph.node]
    assert (
        kinds.count("MatMulInteger") == 4 + 1 + 1
    )  # attention, its output, two of feed-forward; pooler; head
