"""Shrink: a trained checkpoint becomes a smaller one that answers nearly the same, without training."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from infra.errors import ConfigError
from tasks.compression.trimming.config import SizeConfig
from tasks.compression.trimming.positions import cut_positions
from tasks.compression.trimming.vocabulary import keep_tokens, pieces_of
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.formats.texts import stream_texts
from tasks.models.embedding import factorise, word_table
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.tokenizers.trim import choose_tokens, count_texts


def shrink(config: SizeConfig, checkpoint: Path, dataset: Path, output_dir: Path) -> Mapping[str, float]:
    """Write the checkpoint cut to `config` to `output_dir`; tokens are counted on the training split alone.

    Returns:
        `parameters` before and after, and `validation_agreement`: the share of validation texts with the same answer.

    Raises:
        ConfigError: more is asked for than the model has, or its tokenizer is not WordPiece.
        ArtifactError: checkpoint or data set is damaged.
    """
    texts = load_split(dataset, "validation").texts
    info, tokenizer = load_info(checkpoint), load_tokenizer(checkpoint)
    model = SentenceClassifier.load(checkpoint)
    before, parameters = answer_texts(model, tokenizer, texts, info.max_length).logits, count(model)
    length = info.max_length if config.max_length is None else config.max_length
    if length > info.max_length:
        raise ConfigError(
            f"size.max_length is {length}: expected at most the checkpoint's {info.max_length}. Give a smaller one."
        )
    if config.vocabulary_size is not None:
        tokenizer = _trimmed(model, tokenizer, config, config.vocabulary_size, dataset)
    cut_positions(model, length)
    if config.embedding_rank is not None:
        rows = len(word_table(model.body))
        frequencies = token_counts(tokenizer, rows, dataset) if config.count_tokens else None
        factorise(model.body, config.embedding_rank, frequencies)
    model.save(output_dir, tokenizer, info.model_copy(update={"max_length": length}))
    after = answer_texts(model, tokenizer, texts, length).logits
    agreement = float((before.argmax(axis=1) == after.argmax(axis=1)).mean())
    counts = {"parameters_before": parameters, "parameters": count(model)}
    return counts | {"validation_agreement": agreement}


def count(model: SentenceClassifier) -> int:
    """Numbers that the model holds."""
    return sum(value.numel() for value in model.parameters())


def token_counts(tokenizer: PreTrainedTokenizerBase, tokens: int, dataset: Path) -> torch.Tensor:
    """How often each of `tokens` ids comes in the training texts, special tokens included, plus one: float64 [tokens]."""
    counts = np.ones(tokens)
    for batch in stream_texts(dataset, "train"):
        counts += np.bincount(np.concatenate(tokenizer(batch)["input_ids"]), minlength=len(counts))
    return torch.from_numpy(counts)


def _trimmed(
    model: SentenceClassifier,
    tokenizer: PreTrainedTokenizerBase,
    config: SizeConfig,
    size: int,
    dataset: Path,
) -> PreTrainedTokenizerBase:
    base = pieces_of(tokenizer)
    counts = count_texts(base, stream_texts(dataset, "train"))
    kept = choose_tokens(base, counts, size, config.characters, "size.vocabulary_size")
    return keep_tokens(model, tokenizer, kept)
