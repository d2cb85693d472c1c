"""The masks of evaluation: drawn once for the documents of the test split, so that perplexities compare.

15% of the tokens, of which 80% are shown as the mask token, 10% as a random one and 10% as they are: whatever a training's
own masks were, and of whatever model.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from infra.errors import DataError
from tasks.formats.frozen_masks import FrozenMasks
from tasks.metrics.perplexity import perplexity_of
from tasks.models.device import accelerated_device, on_device
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.config import MixedPrecision
from tasks.training.loop.loop import Evaluated, Evaluation
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.config import FrozenConfig, MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Vocabulary, mask_rows
from tasks.training.precision import autocast

MASKS = MaskingConfig()
SEED = 2**31  # no training's: those are below


def freeze(
    documents: Sequence[Sequence[int]],
    length: int,
    pad_id: int,
    vocabulary: Vocabulary,
    config: FrozenConfig,
) -> FrozenMasks:
    """Choose documents, cut each to `length` tokens, mask it and fill it up.

    A document has the same masks whatever the limit is, and a lower limit chooses among what a higher one chooses. Documents
    without tokens are passed over.

    Args:
        documents: token ids of each, special tokens included.
        length: tokens of a row.
        pad_id: fills up short rows; it is special.
        vocabulary: special tokens are never masked.
        config: how many documents.

    Raises:
        DataError: there is no document, or nothing in them is masked.
    """
    filled = np.array([row for row in range(len(documents)) if len(documents[row])], dtype=np.int64)
    chosen = np.sort(np.random.default_rng(SEED).permutation(filled)[: config.documents])
    cut = [np.asarray(documents[row][:length], dtype=np.int64) for row in chosen]
    unused = [np.ones(len(ids), dtype=bool) for ids in cut]  # token by token
    masked = mask_rows(cut, unused, chosen, Draw(SEED, 0), MASKS, vocabulary)
    input_ids = np.full((len(cut), length), pad_id, dtype=np.int64)
    labels = np.full((len(cut), length), IGNORED, dtype=np.int64)
    for row, own in enumerate(masked):
        input_ids[row, : len(own.labels)] = own.input_ids
        labels[row, : len(own.labels)] = own.labels
    if not (labels != IGNORED).any():
        raise DataError(
            f"nothing is masked in {len(cut):,} documents: expected enough text for 15% of its tokens to be one. Give "
            "more or longer documents."
        )
    return FrozenMasks(input_ids, labels, pad_id)


def negative_log_likelihood(model: MaskedLanguageModel, frozen: FrozenMasks, config: FrozenConfig) -> float:
    """Mean over all masked tokens together, in nats, in evaluation mode on accelerate's device; leaves both as they were.

    It computes in float32, or as the caller's autocast for that device says.
    """
    total, tokens = 0.0, 0
    was_training = model.training
    model.eval()
    with (
        on_device(model) as device,
        torch.inference_mode(),
        tqdm(total=len(frozen.labels), desc="perplexity", unit="document", leave=False, disable=None) as bar,
    ):
        for batch in frozen.batches(config.batch_size):
            ids, mask, labels = (
                torch.from_numpy(part).to(device)
                for part in (batch.input_ids, batch.attention_mask, batch.labels)
            )
            asked = labels != IGNORED
            losses = cross_entropy(model(ids, mask, asked).logits, labels[asked], reduction="none")
            total += losses.double().sum().item()
            tokens += len(losses)
            bar.update(len(labels))
    model.train(was_training)
    return total / tokens


def perplexity(
    model: MaskedLanguageModel, frozen: FrozenMasks, config: FrozenConfig, precision: MixedPrecision = "no"
) -> float:
    """Of the masked tokens: between how many equally likely ones the model wavers."""
    with autocast(precision, accelerated_device()):
        return perplexity_of(negative_log_likelihood(model, frozen, config))


def on_frozen_masks(
    frozen: FrozenMasks, config: FrozenConfig, precision: MixedPrecision
) -> Evaluation[MaskedLanguageModel]:
    """What the loop validates by: the lower the loss on these masks, the better."""

    def evaluate(model: MaskedLanguageModel) -> Evaluated:
        with autocast(precision, accelerated_device()):
            nats = negative_log_likelihood(model, frozen, config)
        return Evaluated(-nats, {"validation_masked_lm": nats, "validation_perplexity": perplexity_of(nats)})

    return evaluate
