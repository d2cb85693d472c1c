"""The yardstick: what everybody starts from, PyTorch's BERT-base in float32 behind `transformers.pipeline`.

Its weights are random, for latency and size do not depend on them and a bare machine has no others.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.errors import ArtifactError
from tasks.evaluation.latency.protocol import Open, Setting
from tasks.evaluation.latency.threads import set_torch_threads, torch_settings

POSITIONS = 512  # tokens that BERT-base reads at most


class ReferenceModel:
    """BERT-base with a head for the data set's labels, and the teacher's tokenizer."""

    def __init__(self, request: Open) -> None:
        import torch
        import transformers

        from tasks.models.loading import load_tokenizer

        self._tokenizer = load_tokenizer(request.folder)
        if self._tokenizer.pad_token_id is None:
            raise ArtifactError(
                f"the tokenizer in {request.folder} has no padding token: expected one. Train the model again."
            )
        self._tokenizer.model_max_length = POSITIONS
        config = transformers.BertConfig(num_hidden_layers=request.yardstick_layers)
        config.num_labels = request.classes
        config.vocab_size = max(config.vocab_size, len(self._tokenizer))
        torch.manual_seed(0)
        self._model = transformers.BertForSequenceClassification(config).eval()
        self._pipeline = transformers.pipeline(  # type: ignore[call-overload]  # it lists concrete classes only
            "text-classification", model=self._model, tokenizer=self._tokenizer, device="cpu"
        )
        self.runtime = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self.settings = torch_settings(request.cores)
        self.size_bytes = self._saved_bytes()

    def use(self, setting: Setting) -> None:
        """Threads of torch, which are this process's."""
        set_torch_threads(setting.threads)

    def answer(self, texts: Sequence[str]) -> object:
        """The pipeline's labels and scores of `texts`."""
        return self._pipeline(list(texts), batch_size=len(texts), truncation=True)

    def answer_padded(self, texts: Sequence[str]) -> object:
        """The same with every text padded to all 512 positions, as much code that is deployed does it."""
        return self._pipeline(
            list(texts), batch_size=len(texts), truncation=True, padding="max_length", max_length=POSITIONS
        )

    def _saved_bytes(self) -> int:
        """Bytes of the files that `save_pretrained` really writes: weights, configuration and tokenizer."""
        from tasks.models.loading import quiet_transformers

        with tempfile.TemporaryDirectory(prefix="yardstick-") as name, quiet_transformers():
            self._model.save_pretrained(name)
            self._tokenizer.save_pretrained(name)
            return sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
