"""Training for int8 from a finished checkpoint: the fake-quantized model learns to answer as the float32 one does.

What is asked of int8 is not another model but the same answers, so its own float32 logits are the targets: no labels,
no teacher, any text will do (Polino, Pascanu & Alistarh 2018, Model Compression via Distillation and Quantization).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import kl_div, log_softmax
from transformers import PreTrainedTokenizerBase

from tasks.compression.quantization.answers import divergence
from tasks.compression.quantization.config import QuantizationConfig
from tasks.compression.quantization.qat import calibrate_observers, convert, prepare
from tasks.formats.checkpoint import load_info
from tasks.models.batching import encode
from tasks.models.inference import embed_and_classify
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop import Batch, Lesson, Log, Validated, fit

FIRST_ROWS = 1024  # rows whose ranges are seen before the first step


class Texts(NamedTuple):
    """What is trained on, and what says which epoch was the best; neither needs labels."""

    training: Sequence[str]
    validation: Sequence[str]


def train_for_int8(
    config: QuantizationConfig, checkpoint: Path, texts: Texts, output_dir: Path, work_dir: Path, log: Log
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
    lesson = self_distil(model, tokenizer, texts, info.max_length)
    without_dropout(model)
    prepare(model, config.qat.range_momentum, config.embeddings)
    calibrate_observers(model, lesson.rows[:FIRST_ROWS], lesson.pad_id, config.qat.batch_size)
    progress = fit(model, lesson, config.qat, work_dir, log)
    convert(model)
    model.save(output_dir, tokenizer, info)
    return progress.best_metrics | {"best_epoch": progress.best_epoch}


def self_distil(
    model: SentenceClassifier, tokenizer: PreTrainedTokenizerBase, texts: Texts, max_length: int
) -> Lesson[SentenceClassifier]:
    """A lesson whose targets are the answers that `model` gives now: KL(float32 || int8), mean over the rows."""
    rows, held_out = (encode(tokenizer, part, max_length) for part in texts)
    targets = torch.from_numpy(embed_and_classify(model, rows, tokenizer.pad_token_id).logits)
    reference = embed_and_classify(model, held_out, tokenizer.pad_token_id).logits

    def loss(learner: SentenceClassifier, batch: Batch) -> torch.Tensor:
        logits = learner(batch.input_ids, batch.attention_mask).logits.float()
        wanted = targets[batch.rows.cpu()].to(logits.device)
        learned, aimed = log_softmax(logits, dim=-1), log_softmax(wanted, dim=-1)
        return kl_div(learned, aimed, reduction="batchmean", log_target=True)

    def validate(learner: SentenceClassifier) -> Validated:
        found = divergence(reference, embed_and_classify(learner, held_out, tokenizer.pad_token_id).logits)
        return Validated(-found.kl, found._asdict())

    return Lesson(rows, tokenizer.pad_token_id, loss, validate)


def without_dropout(model: nn.Module) -> None:
    """Turn dropout off for good, in place: the targets know of none, so it would be one more noise to learn against."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
