from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from infra.errors import ArtifactError
from tasks.formats.checkpoint import CheckpointInfo
from tasks.formats.dataset import load_info, load_split
from tasks.inference.runner import open_runner
from tasks.models.model import SentenceClassifier
from tests.benchmarks.transformers_exporter import export_with_transformers
from tests.tasks.models.tiny_encoder import tiny_config, tiny_tokenizer, write_dataset, write_teacher

pytestmark = pytest.mark.slow


def write_one_layer(folder: Path, dataset: Path) -> Path:
    """A checkpoint with one layer of random weights: the exporter takes its time for each."""
    torch.manual_seed(0)
    info = load_info(dataset)
    model = SentenceClassifier.from_config(
        tiny_config(num_hidden_layers=1, initializer_range=0.2), len(info.labels)
    )
    torch.nn.init.normal_(model.head.weight, std=3.0)
    written = CheckpointInfo(labels=info.labels, out_of_scope=info.out_of_scope, max_length=32)
    model.save(folder, tiny_tokenizer(), written)
    return folder


def test_the_peer_answers_as_the_checkpoint_it_was_made_of(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset")
    teacher = write_one_layer(tmp_path / "teacher", dataset)
    (peer := tmp_path / "peer").mkdir()
    metrics = export_with_transformers(teacher, dataset, peer, None)
    assert sorted(path.name for path in peer.iterdir()) == ["config.json", "model.onnx", "tokenizer.json"]
    assert metrics["size_mb"] == sum(path.stat().st_size for path in peer.iterdir()) / 1e6
    kinds = [node.op_type for node in onnx.load(peer / "model.onnx").graph.node]
    assert kinds.count("MatMulInteger") == 4 + 1  # attention, its output, two of feed-forward; the head
    texts = load_split(dataset, "test").texts
    runners = [open_runner(folder, threads=1) for folder in (peer, teacher)]
    answers, expected = (
        np.concatenate([runner.logits([text]) for text in texts])[:, :-1] for runner in runners
    )
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.7
    assert runners[0].rule is not None


def test_a_data_set_of_other_labels_is_refused(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", out_of_scope=False)
    with pytest.raises(ArtifactError, match=r"answers 4 labels.* has 3"):
        export_with_transformers(write_teacher(tmp_path / "teacher"), dataset, tmp_path, None)
