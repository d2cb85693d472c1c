"""A second reference for size and latency: the yardstick's BERT-base as int8 ONNX, for runtime and int8 alone give a lot.

As who uses transformers makes it: its exporter with its defaults for ONNX Runtime. Random weights, for neither figure
depends on them; so it has no accuracy and no out-of-scope rule.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from tasks.compression.export.folder import write_model
from tasks.evaluation.latency.reference_model import POSITIONS
from tasks.formats.dataset import load_info
from tasks.formats.model_files import inference_bytes
from tasks.formats.onnx_folder import write_tokenizer
from tasks.models.loading import load_tokenizer
from tests.benchmarks.transformers_exporter import describe, export_int8


class _Logits(nn.Module):
    """Token ids and mask, int64 [batch, sequence], to logits float32 [batch, labels] under the graph's name for them."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.model(input_ids=input_ids, attention_mask=attention_mask).logits}


def make_bert_base(teacher: Path, dataset: Path, output_dir: Path, layers: int = 12) -> dict[str, float]:
    """Write `model.onnx`, `tokenizer.json` and `config.json`: the teacher's tokenizer, a head for the data set's labels.

    BERT-base has 12 `layers`. Returns the size.
    """
    tokenizer, labels = load_tokenizer(teacher), load_info(dataset).labels
    config = BertConfig(num_hidden_layers=layers, num_labels=len(labels))
    config.vocab_size = max(config.vocab_size, len(tokenizer))
    torch.manual_seed(0)
    graph = export_int8(_Logits(BertForSequenceClassification(config)))
    write_tokenizer(output_dir, tokenizer, POSITIONS)
    write_model(output_dir, graph, describe(config.model_type, labels, POSITIONS), None)
    return {"size_mb": inference_bytes(output_dir) / 1e6}
