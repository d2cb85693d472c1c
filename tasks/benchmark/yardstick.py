"""The yardstick: what everybody starts from, PyTorch's BERT-base in float32 behind `transformers.pipeline`.

Its weights are random, for latency and size do not depend on them and a bare machine has no others.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, pipeline

from tasks.encoder.loading import load_tokenizer, quiet_transformers

POSITIONS = 512


class Yardstick:
    """BERT-base with a head of `classes` labels and the tokenizer in `tokenizer` (a checkpoint's folder)."""

    rows_independent = True
    ruled = False

    def __init__(self, tokenizer: Path, classes: int, threads: int | None = None) -> None:
        self._tokenizer = load_tokenizer(tokenizer)
        self._tokenizer.model_max_length = POSITIONS
        torch.manual_seed(0)
        config = BertConfig(num_labels=classes)
        config.vocab_size = max(config.vocab_size, len(self._tokenizer))
        self._model = BertForSequenceClassification(config).eval()
        self.labels = tuple(config.id2label.values())
        self.runtime = f"transformers {transformers.__version__}, torch {torch.__version__}"
        self.set_threads(threads)
        self._pipeline = pipeline("text-classification", model=self._model, tokenizer=self._tokenizer, device="cpu")

    def set_threads(self, threads: int | None) -> None:
        """Threads of torch, of this whole process."""
        if threads is not None:
            torch.set_num_threads(threads)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Scores of the best label, float32 [n, 1]: what the pipeline gives, and all that is timed here."""
        answers = self._pipeline(list(texts), batch_size=len(texts), truncation=True)
        return np.array([[answer["score"]] for answer in answers], dtype=np.float32)

    def saved_bytes(self) -> int:
        """Bytes of the files that `save_pretrained` really writes: weights, configuration and tokenizer."""
        with tempfile.TemporaryDirectory(prefix="yardstick-") as name, quiet_transformers():
            self._model.save_pretrained(name)
            self._tokenizer.save_pretrained(name)
            return sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
