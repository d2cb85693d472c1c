"""Measure the n-grams on the frozen masks of packed text."""

from collections.abc import Mapping
from pathlib import Path

from infra.errors import ConfigError
from tasks.baselines.ngrams.config import NgramConfig
from tasks.baselines.ngrams.perplexity import Special, ngram_perplexities
from tasks.formats.frozen_masks import read_frozen
from tasks.formats.packed_tokens import open_packed
from tasks.formats.report_file import write_report

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
    found = ngram_perplexities(
        packed.ids, packed.offsets, *masked, known.size, Special(known.mask, known.pad, context), config.order
    )
    write_report(output_dir, found)
    return found.model_dump(include=set(PERPLEXITIES))
