"""Export: a checkpoint becomes one ONNX file of float32, fused, with dynamic shapes and the out-of-scope rule."""

import json
from pathlib import Path

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.graph import simplify, strip
from tasks.compression.export.ruled import write_ruled
from tasks.compression.export.trace import trace
from tasks.compression.trimming.positions import cut_positions
from tasks.formats.checkpoint import CheckpointInfo, load_info
from tasks.formats.dataset import require_labels
from tasks.formats.onnx_folder import Config, write_tokenizer
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier


def export_onnx(
    config: CompressConfig, checkpoint: Path, dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Write `model.onnx`, `tokenizer.json` and `config.json` to `output_dir`.

    The graph takes `input_ids` and `attention_mask`, int64 [batch, sequence], and gives `logits`, float32
    [batch, labels], whose argmax is the answer. Returns size and validation accuracy. Raises ArtifactError for a
    checkpoint that is damaged or answers other labels than the data set has.
    """
    info = load_info(checkpoint)
    require_labels(checkpoint, info.labels, dataset)
    model = cut_positions(SentenceClassifier.load(checkpoint), info.max_length)
    write_tokenizer(output_dir, load_tokenizer(checkpoint), info.max_length)
    graph = trace(model)
    simplify(graph)
    strip(graph)
    return write_ruled(output_dir, graph, describe(checkpoint, model, info), dataset, config.expected_share)


def describe(checkpoint: Path, model: SentenceClassifier, info: CheckpointInfo) -> Config:
    """The checkpoint's transformers configuration with the labels and lengths of the graph, no path of this machine."""
    config: Config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    return config | {
        "id2label": {str(i): name for i, name in enumerate(info.labels)},
        "label2id": {name: i for i, name in enumerate(info.labels)},
        "max_length": info.max_length,
        "max_position_embeddings": model.body.config.max_position_embeddings,
    }
