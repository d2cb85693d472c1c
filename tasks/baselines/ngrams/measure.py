"""Measure the n-grams on the frozen masks of packed text."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import ConfigError
from tasks.baselines.ngrams.config import NgramConfig
from tasks.baselines.ngrams.counting import Tokens
from tasks.baselines.ngrams.perplexity import Special, ngram_perplexities
from tasks.formats.frozen_masks import read_frozen
from tasks.formats.packed_tokens import PackedTokens, open_packed
from tasks.formats.packing_report import read_packing
from tasks.formats.report_file import write_report
from tasks.training.loop.sampler import Shuffled

PERPLEXITIES = ("unigram", "two_sided_hidden", "two_sided_clean", "context_hidden", "context_clean")


def measure_ngrams(
    config: NgramConfig, packed_dir: Path, frozen_dir: Path, output_dir: Path
) -> Mapping[str, float]:
    """Write `report.json`, a `NgramPerplexities`; returns its perplexities.

    Raises ArtifactError for a damaged input, ConfigError for a tokenizer without mask or pad token, DataError for an empty set.
    """
    packed = open_packed(packed_dir / "train")
    known = packed.info.vocabulary
    if known.mask is None or known.pad is None:
        raise ConfigError(
            "the tokenizer has no mask or no pad token: expected a masked language model's. Take another model."
        )
    context = tuple(token for token in known.special if token not in (known.mask, known.pad))
    masked = read_frozen(frozen_dir / "validation"), read_frozen(frozen_dir)
    special = Special(known.mask, known.pad, context)
    text = counted(config, packed, read_packing(packed_dir).length)
    found = ngram_perplexities(*text, *masked, known.size, special, config.order)
    write_report(output_dir, found)
    return found.model_dump(include=set(PERPLEXITIES))


def counted(config: NgramConfig, packed: PackedTokens, length: int) -> tuple[Tokens, np.ndarray]:
    """Tokens and offsets of what is counted: the documents, or blocks of `length` tokens as a training reads them."""
    blocks = packed.blocks(length)
    if config.blocks is None or config.blocks >= len(blocks):
        return packed.ids, packed.offsets
    ids, _ = blocks[np.sort(Shuffled(len(blocks), config.blocks, config.seed).rows(0))]
    return ids.ravel(), np.arange(len(ids) + 1) * length
