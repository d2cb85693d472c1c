"""A sentence encoder with a linear head: the one model that teacher, student and every exporter share.

The encoder is used as it was trained (Reimers & Gurevych 2019, Sentence-BERT, section 3): the token vectors
are averaged over the attention mask and normalised, and a linear head reads the resulting unit vector.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from transformers import AutoModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import ArtifactError
from tasks.formats.checkpoint import CheckpointInfo, load_info
from tasks.models.checkpoint import read_dense, write_modules
from tasks.models.loading import load_body, without_pooler


class EncoderOutput(NamedTuple):
    """`vectors` float [batch, hidden], of length one; `logits` float [batch, labels]."""

    vectors: torch.Tensor
    logits: torch.Tensor


def mean_pool(tokens: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Average token vectors [batch, sequence, hidden] over the real tokens of `attention_mask` [batch,
    sequence].
    """
    mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
    # The clamp keeps a row of padding alone finite; sentence-transformers clamps by the same amount.
    return (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)


class SentenceClassifier(nn.Module):
    """`body` (a BERT-like transformers encoder without pooler), mean pooling, L2 normalisation, linear
    `head`.
    """

    def __init__(self, body: PreTrainedModel, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> EncoderOutput:
        """Map token ids and mask, both int64 [batch, sequence], to sentence vectors and logits."""
        tokens = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = nn.functional.normalize(mean_pool(tokens, attention_mask), dim=-1)
        return EncoderOutput(vectors, self.head(vectors))

    @classmethod
    def from_base(cls, folder: Path, n_labels: int) -> "SentenceClassifier":
        """A pretrained encoder from `folder` with a head of zeros, so that all labels are equally likely.

        Raises ArtifactError when the folder is no encoder that can be read.
        """
        body = load_body(folder)
        head = nn.Linear(body.config.hidden_size, n_labels)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return cls(body, head)

    @classmethod
    def from_config(cls, config: PretrainedConfig, n_labels: int) -> "SentenceClassifier":
        """An encoder of the shape of `config` with fresh random weights."""
        body = AutoModel.from_config(config, trust_remote_code=False)
        return cls(without_pooler(body), nn.Linear(config.hidden_size, n_labels))

    @classmethod
    def load(cls, folder: Path) -> "SentenceClassifier":
        """Read a checkpoint written by `save`, in evaluation mode; ArtifactError when it is damaged."""
        info = load_info(folder)
        body = load_body(folder)
        weight, bias = read_dense(folder)
        if weight.shape != (len(info.labels), body.config.hidden_size):
            raise ArtifactError(
                f"{folder}: the head is {tuple(weight.shape)}, expected {len(info.labels)} rows (labels) and "
                f"{body.config.hidden_size} columns. The checkpoint is damaged: train it again."
            )
        head = nn.Linear(weight.shape[1], weight.shape[0])
        head.load_state_dict({"weight": weight, "bias": bias})
        return cls(body, head).eval()

    def save(self, folder: Path, tokenizer: PreTrainedTokenizerBase, info: CheckpointInfo) -> None:
        """Write body, tokenizer, head and `classifier.json` so that transformers and sentence-transformers
        open them.

        Raises StoreError when the disk does not take the files.
        """
        write_modules(folder, self.body, self.head, tokenizer, info)
