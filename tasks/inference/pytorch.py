"""A checkpoint in PyTorch, float32, from texts to logits."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tasks.formats.checkpoint import load_info
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.models.batching import encode, pad
from tasks.models.device import accelerated_device
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier


class PytorchRunner:
    """A SentenceClassifier with its own tokenizer. The out-of-scope rule is no part of a checkpoint."""

    rows_independent = True
    ruled = False
    rule: OutOfScopeRule | None = None
    temperature: float | None = None

    def __init__(
        self,
        folder: Path,
        threads: int | None = None,
        accelerated: bool = False,
        load: Callable[[Path], SentenceClassifier] = SentenceClassifier.load,
    ) -> None:
        """Load the checkpoint in `folder`; with `accelerated` it answers on accelerate's device, otherwise on the CPU."""
        if threads is not None:
            torch.set_num_threads(threads)  # of the whole process: torch has no other
        info = load_info(folder)
        self.labels = info.labels
        self.runtime = f"torch {torch.__version__}"
        self._max_length = info.max_length
        self._tokenizer = load_tokenizer(folder)
        self._device = accelerated_device() if accelerated else torch.device("cpu")
        self._model = load(folder).to(self._device)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes], without the rule."""
        rows = encode(self._tokenizer, texts, self._max_length)
        with torch.inference_mode():
            ids, mask = pad(rows, self._tokenizer.pad_token_id)
            return self._model(ids.to(self._device), mask.to(self._device)).logits.cpu().numpy()

    def logits_and_own(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same array twice: nothing is applied to them."""
        own = self.logits(texts)
        return own, own
