"""Build the student's tokenizer and measure it on held-out text.

The tokens are chosen on the training split alone and measured on validation, so the figures hold for new
text. `kept_ids.npy` maps each new id to the base model's, for the embedding rows that the student takes
over.
"""

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from infra.errors import ConfigError
from tasks.formats.rust_panics import tokenizing
from tasks.formats.texts import stream_texts
from tasks.formats.value import write_value
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.files import max_length, read_settings, read_tokenizer, write_tokenizer
from tasks.tokenizers.measure import SPLIT, compare_tokenizers
from tasks.tokenizers.train_new import new_settings, train_tokenizer
from tasks.tokenizers.trim import choose_tokens, count_texts
from tasks.tokenizers.wordpiece import WordPiece, with_tokens

logger = logging.getLogger(__name__)

KEPT_IDS_FILE, MEASUREMENTS_FILE = "kept_ids.npy", "measurements.json"
MEASURED_BATCHES = 20


def build(config: TokenizerConfig, base: Path, dataset: Path, output: Path) -> Mapping[str, float]:
    """Write the tokenizer for the student of the model in `base`; gives its figures on held-out text.

    Raises:
        ConfigError: no or too small a vocabulary size, or a base tokenizer that cannot be trimmed.
        ArtifactError: the base model's folder has no tokenizer, or one that fails at a text; the data set no shards.
        DataError: no text to learn from or to measure on.
    """
    pretrained = read_tokenizer(base)
    with tokenizing(base):
        tokenizer, kept_ids = _make(config, pretrained, dataset)
    write_tokenizer(
        output, tokenizer, new_settings(max_length(base)) if kept_ids is None else read_settings(base)
    )
    if kept_ids is not None:
        np.save(output / KEPT_IDS_FILE, kept_ids)
    texts = [text for batch in islice(stream_texts(dataset, SPLIT), MEASURED_BATCHES) for text in batch]
    with tokenizing(base):
        measurements = compare_tokenizers(pretrained, tokenizer, texts, asked=config, kept_ids=kept_ids)
    write_value(output / MEASUREMENTS_FILE, measurements)
    before, after = measurements.before.unknown_rate, measurements.after.unknown_rate
    if after > before:
        logger.warning(
            "%.3f%% of held-out tokens are unknown (%.3f%% before): ask for more tokens or characters=all.",
            100 * after,
            100 * before,
        )
    return measurements.metrics()


def _make(
    config: TokenizerConfig, pretrained: Tokenizer, dataset: Path
) -> tuple[Tokenizer, np.ndarray | None]:
    """The tokenizer and its kept ids, int64 [vocabulary] (None for a new one)."""
    if config.mode == "keep":
        return pretrained, np.arange(max(pretrained.get_vocab().values()) + 1, dtype=np.int64)
    if config.vocabulary_size is None:
        raise ConfigError(
            "tokenizer.vocabulary_size is not set: expected a number of tokens; the flow chooses it from "
            "the data. Set it, to 8000 for instance, when the stage is called on its own."
        )
    if config.mode == "train":
        return train_tokenizer(config, config.vocabulary_size, lambda: stream_texts(dataset, "train")), None
    base = WordPiece(pretrained)
    counts = count_texts(base, stream_texts(dataset, "train"))
    kept_ids = choose_tokens(base, counts, config.vocabulary_size, config.characters)
    return with_tokens(base, kept_ids), kept_ids
