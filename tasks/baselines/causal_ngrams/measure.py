"""Measure n-grams on the parts of a packed corpus, in bits a byte: what a language model has to be better than.

Bits a byte and not perplexity, for models of other vocabularies cut the same text into other tokens.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import DataError
from tasks.baselines.causal_ngrams.cache import with_cache
from tasks.baselines.causal_ngrams.config import CausalNgramConfig
from tasks.baselines.causal_ngrams.kneser_ney import KneserNey
from tasks.baselines.ngrams.mixture import Evidence, Mixture, fit_mixture
from tasks.formats.causal_ngram_report import CausalNgramReport, Interpolated, NgramBits
from tasks.formats.packed_corpus import TRAIN, VALIDATION, PackedCorpus, open_part, read_packed_corpus
from tasks.formats.packed_tokens import PackedTokens
from tasks.formats.report_file import write_report

PIECE = 1 << 20  # tokens that are read at once


def measure_causal_ngrams(
    config: CausalNgramConfig, corpus_dir: Path, output_dir: Path
) -> Mapping[str, float]:
    """Count the training part, choose the cache's weights on validation, and write `report.json`.

    Returns bits a byte by part and kind. Raises ArtifactError for a damaged corpus, DataError for a part without tokens.
    """
    corpus = read_packed_corpus(corpus_dir)
    model = count_training(config, corpus_dir)
    weighed = _evidence(config, model, corpus_dir, VALIDATION)
    mixture = fit_mixture(weighed)
    shares = mixture.shares(weighed.support).mean(axis=1)
    parts = {
        name: _bits(corpus, name, _evidence(config, model, corpus_dir, name), mixture)
        for name in corpus.measured
    }
    report = CausalNgramReport(
        tokens=corpus.parts[TRAIN].tokens,
        orders=tuple(
            Interpolated(
                length=length, distinct=len(order.grams.keys), discounts=tuple(order.discounts[1:].tolist())
            )
            for length, order in enumerate(model.orders, 1)
        ),
        shares=tuple(shares.tolist()),
        parts=parts,
    )
    write_report(output_dir, report)
    return {
        f"{name}_{kind}": value for name, bits in parts.items() for kind, value in bits.model_dump().items()
    }


def count_training(config: CausalNgramConfig, corpus_dir: Path) -> KneserNey:
    """n-grams of the training part, which may be asked for what comes next."""
    corpus, packed = read_packed_corpus(corpus_dir), open_part(corpus_dir, TRAIN)
    predicted = np.ones(packed.info.vocabulary.size, dtype=bool)
    predicted[corpus.quality_ids] = False
    return KneserNey.of(compact_ids(packed), packed.offsets, config.order, predicted)


def compact_ids(packed: PackedTokens) -> np.ndarray:
    """Ids of all tokens, int32 [tokens]; what is held beside them is one piece of them in int64."""
    ids = np.empty(len(packed.ids), dtype=np.int32)
    for begin in range(0, len(ids), PIECE):
        ids[begin : begin + PIECE] = packed.ids[begin : begin + PIECE]
    return ids


def _evidence(config: CausalNgramConfig, model: KneserNey, corpus_dir: Path, name: str) -> Evidence:
    packed = open_part(corpus_dir, name)
    tokens = packed.ids[:]
    if not model.predicted[tokens].any():
        raise DataError(
            f"the part {name!r} has no tokens: expected files to measure n-grams on. Curate more files, or give that split a "
            "larger share."
        )
    static = model.probabilities(tokens, packed.offsets)
    return with_cache(static, tokens, packed.offsets, model.predicted, config.cache_order)


def _bits(corpus: PackedCorpus, name: str, evidence: Evidence, mixture: Mixture) -> NgramBits:
    bytes_of_text = corpus.parts[name].bytes
    if not bytes_of_text:
        raise DataError(
            f"the part {name!r} has no text: expected bytes to measure n-grams on. Pack more files."
        )
    cached = mixture.probability(evidence.of_target, evidence.support)
    static = evidence.of_target[-1].astype(np.float64)
    return NgramBits(
        static=float(-np.log(static).sum() / math.log(2) / bytes_of_text),
        cached=float(-np.log(cached).sum() / math.log(2) / bytes_of_text),
    )
