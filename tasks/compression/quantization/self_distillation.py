"""Training for int8 from a finished checkpoint: the fake-quantized model learns to answer as the float32 one does.

What is asked of int8 is not another model but the same answers, so its own float32 logits are the targets: no labels,
no teacher, any text will do (Polino, Pascanu & Alistarh 2018, Model Compression via Distillation and Quantization).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import kl_div, log_softmax

from tasks.compression.quantization.answers import divergence
from tasks.compression.quantization.config import QuantizationConfig
from tasks.compression.quantization.qat import calibrate_observers, convert, prepare
from tasks.formats.checkpoint import load_info
from tasks.models.batching import encode, encode_to_disk
from tasks.models.inference import embed_and_classify
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop.loop import Evaluated, Observe
from tasks.training.loop.objective import Draw, Term
from tasks.training.text_objective import TextObjective, TextRows, fit_texts

Model = TypeVar("Model", bound=nn.Module)
FIRST_ROWS = 1024  # rows whose ranges are seen before the first step


class Texts(NamedTuple):
    """What is trained on, and what says which epoch was the best; neither needs labels."""

    training: Sequence[str]
    validation: Sequence[str]


class OwnBatch(NamedTuple):
    """`input_ids`, `attention_mask` int64 [batch, sequence]; `logits` float [batch, labels], to be answered."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    logits: torch.Tensor


class OwnAnswers(TextObjective[OwnBatch]):
    """KL(float32 || int8): the answers that the model gave before it was rounded."""

    def __init__(self, texts: TextRows, logits: np.ndarray) -> None:
        """`logits` float32 [rows, labels]."""
        super().__init__(texts)
        self.logits = torch.from_numpy(logits)

    def batch(self, rows: np.ndarray, draw: Draw) -> OwnBatch:
        """Padded ids and the answers."""
        return OwnBatch(*self.texts.padded(rows), self.logits[torch.from_numpy(rows)])

    def weight(self, batch: OwnBatch) -> Mapping[str, float]:
        """Rows."""
        return {"kl": len(batch.logits)}

    def loss(self, model: SentenceClassifier, batch: OwnBatch) -> Mapping[str, Term]:
        """The divergence, summed over the rows."""
        learned = log_softmax(model(batch.input_ids, batch.attention_mask).logits.float(), dim=-1)
        wanted = log_softmax(batch.logits, dim=-1)
        return {"kl": Term(kl_div(learned, wanted, reduction="sum", log_target=True))}


def train_for_int8(
    config: QuantizationConfig, checkpoint: Path, texts: Texts, output_dir: Path, work_dir: Path, log: Observe
) -> Mapping[str, float]:
    """Train a checkpoint for int8 and write an ordinary float32 checkpoint, folded, to `output_dir`.

    Export and quantize it as any other, dynamic or static. The table of positions alone is off its grid where the
    export cuts it. `work_dir` keeps the loop's checkpoints: called again after a kill, it goes on and writes the same
    bytes.

    Returns:
        `kl` (nats) and `agreement` of the fake-quantized model with the float32 one it came from, on the validation
        texts after the best epoch, and `best_epoch`; epoch 0 is rounding without training.

    Raises:
        ArtifactError: the checkpoint is damaged.
        ConfigError: `epochs` is not set, or training diverged.
        DataError: there are no training texts.
    """
    info, tokenizer = load_info(checkpoint), load_tokenizer(checkpoint)
    model = SentenceClassifier.load(checkpoint)
    pad_id, ids = tokenizer.pad_token_id, encode_to_disk(tokenizer, texts.training, info.max_length, work_dir)
    held_out = encode(tokenizer, texts.validation, info.max_length)
    reference = embed_and_classify(model, held_out, pad_id).logits
    own = TextRows.asked(ids, pad_id, config.qat)
    objective = OwnAnswers(own, embed_and_classify(model, ids, pad_id).logits)
    without_dropout(model)
    prepare(model, config.qat.range_momentum, config.embeddings)
    first = [ids[row] for row in range(min(FIRST_ROWS, len(ids)))]
    calibrate_observers(model, first, pad_id, config.qat.batch_size)

    def evaluate(learner: SentenceClassifier) -> Evaluated:
        found = divergence(reference, embed_and_classify(learner, held_out, pad_id).logits)
        return Evaluated(-found.kl, {f"validation_{name}": value for name, value in found._asdict().items()})

    progress = fit_texts(model, objective, config.qat, evaluate, work_dir, log)
    convert(model)
    model.save(output_dir, tokenizer, info)
    best = {name.removeprefix("validation_"): value for name, value in progress.best_metrics.items()}
    return best | {"best_epoch": progress.best_epoch}


def without_dropout(model: Model) -> Model:
    """Turn dropout off for good, in place: the targets know of none, so it would be one more noise to learn against."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model
