import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer
from transformers import AutoConfig

from infra.errors import ArtifactError
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.decision.rule import apply_rule
from tasks.formats.checkpoint import CheckpointInfo
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.inference.onnx import OnnxRunner
from tasks.inference.pytorch import PytorchRunner
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tests.conftest import ROOT
from tests.tasks.compression.conftest import Chain
from tests.tasks.models.tiny_encoder import tiny_tokenizer

TEXTS = ["what is my balance", "rain", "", "tell me about the storm please " * 20]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_graph_runs_alone_with_any_batch_and_length(chain: Chain) -> None:
    session = onnxruntime.InferenceSession((chain.onnx / "model.onnx").read_bytes())
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("input_ids", "tensor(int64)", ["batch", "sequence"]),
        ("attention_mask", "tensor(int64)", ["batch", "sequence"]),
    ]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("logits", "tensor(float)", ["batch", 4])
    ]
    for batch, length in ((1, 1), (1, 32), (7, 5)):
        ids = np.ones((batch, length), dtype=np.int64)
        assert session.run(None, {"input_ids": ids, "attention_mask": ids})[0].shape == (batch, 4)


def test_it_answers_as_pytorch_with_rule_and_temperature_applied(chain: Chain) -> None:
    config = json.loads((chain.onnx / "config.json").read_text())
    rule, temperature = OutOfScopeRule(**config["out_of_scope"]), config["temperature"]
    assert temperature != 1
    expected = apply_rule(PytorchRunner(chain.checkpoint).logits(TEXTS), rule, 3) / temperature
    runner = OnnxRunner(chain.onnx, threads=1)
    np.testing.assert_allclose(runner.logits(TEXTS), expected, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([runner.logits([t]) for t in TEXTS]), expected, atol=1e-4)


def test_attention_is_fused_and_reads_the_padding_mask(chain: Chain) -> None:
    nodes = onnx.load(chain.onnx / "model.onnx").graph.node
    kinds = [node.op_type for node in nodes]
    assert kinds.count("Attention") == 3
    assert "SkipLayerNormalization" not in kinds
    assert {node.input[3] for node in nodes if node.op_type == "Attention"} == {"attention_mask_int32"}


def test_the_file_says_nothing_of_the_machine_it_was_made_on(chain: Chain) -> None:
    model = onnx.load(chain.onnx / "model.onnx")
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        assert not part.doc_string
        assert not part.metadata_props
    assert not graph.value_info
    secrets = [Path.home(), ROOT, Path(sys.prefix), chain.onnx.parent]
    for name, content in (written(chain.onnx) | written(chain.int8)).items():
        for secret in (*map(str, secrets), "site-packages", "stack_trace", 'File "'):
            assert secret.encode() not in content, (name, secret)


@pytest.mark.slow
@pytest.mark.whole_runs
def test_another_process_writes_the_same_bytes(chain: Chain, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tasks.compression.export.config import CompressConfig as C\n"
        "from tasks.compression.export.export import export_onnx\n"
        "from tasks.compression.quantization.quantize import quantize_onnx\n"
        "a, b, c, d = map(Path, sys.argv[1:]); export_onnx(C(), a, b, c); quantize_onnx(C(), c, b, d)"
    )
    folders = [tmp_path / "onnx", tmp_path / "int8"]
    for folder in folders:
        folder.mkdir()
    subprocess.run([sys.executable, "-c", script, chain.checkpoint, chain.dataset, *folders], check=True)
    assert written(folders[0]) == written(chain.onnx)
    assert written(folders[1]) == written(chain.int8)


def test_the_tokenizer_cuts_and_pads_by_itself(chain: Chain) -> None:
    plain = Tokenizer.from_file(str(chain.onnx / "tokenizer.json"))
    full = load_tokenizer(chain.checkpoint)(TEXTS, truncation=True, max_length=32, padding=True)
    rows = plain.encode_batch(TEXTS)
    assert [row.ids for row in rows] == full["input_ids"]
    assert [row.attention_mask for row in rows] == full["attention_mask"]
    assert len(rows[0].ids) == 32
    assert len(plain.encode("rain").ids) == 3


def test_the_configuration_opens_in_transformers_and_says_the_rule(chain: Chain) -> None:
    config = AutoConfig.from_pretrained(chain.onnx, trust_remote_code=False)
    assert config.id2label == {0: "balance", 1: "travel", 2: "weather", 3: "oos"}
    assert config.num_labels == 4
    assert (
        json.loads((chain.onnx / "config.json").read_text())["max_length"] == 32
    )  # transformers passes over it
    assert config.max_position_embeddings == 32
    assert OutOfScopeRule(**config.out_of_scope).label == "oos"


def test_no_position_is_kept_that_no_text_reaches(chain: Chain) -> None:
    weights = {t.name: list(t.dims) for t in onnx.load(chain.onnx / "model.onnx").graph.initializer}
    positions = [dims for name, dims in weights.items() if "position_embeddings" in name]
    assert positions == [[32, 32]]


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "classifier.json", "tokenizer.json"])
def test_a_damaged_checkpoint_is_refused_with_what_to_do(chain: Chain, tmp_path: Path, broken: str) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(chain.checkpoint, checkpoint)
    path = checkpoint / broken
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "onnx").mkdir()
    with pytest.raises(ArtifactError, match=r"(again|Expected)"):
        export_onnx(CompressConfig(), checkpoint, chain.dataset, tmp_path / "onnx")
    path.unlink()
    with pytest.raises(ArtifactError, match=r"(again|Expected)"):
        export_onnx(CompressConfig(), checkpoint, chain.dataset, tmp_path / "onnx")


def test_a_data_set_of_other_labels_is_refused(chain: Chain, tmp_path: Path) -> None:
    model = SentenceClassifier.load(chain.checkpoint)
    info = CheckpointInfo(labels=("x", "y", "z", "oos"), out_of_scope="oos", max_length=32)
    model.save(tmp_path / "checkpoint", tiny_tokenizer(), info)
    (tmp_path / "onnx").mkdir()
    with pytest.raises(ArtifactError, match="Train on this data set"):
        export_onnx(CompressConfig(), tmp_path / "checkpoint", chain.dataset, tmp_path / "onnx")
