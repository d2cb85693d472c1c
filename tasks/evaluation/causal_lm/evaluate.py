"""Causal language models on text that was held out, in bits a byte: what a compressor by the model would need.

Bits a byte and not perplexity, because a token of one vocabulary holds more text than one of another. Repositories of which
nothing was read are the figure that counts; single files of known repositories share much with their neighbours.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import ConfigError
from tasks.evaluation.causal_lm.config import EvaluateCausalLmConfig
from tasks.formats.causal_lm_report import CausalLmEvaluation, MeasuredCausalLm, TextCost
from tasks.formats.code_tokens import QUALITIES, Quality, quality_token
from tasks.formats.packed_corpus import PackedCorpus, open_part, read_packed_corpus
from tasks.formats.packed_tokens import PackedTokens
from tasks.formats.report_file import write_report
from tasks.metrics.perplexity import perplexity_of
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.measure import Cost, cost_of_text, cost_of_windows

OWN = "own"


def evaluate_causal_lm(
    config: EvaluateCausalLmConfig, models: Mapping[str, Path], tokens: Path, output_dir: Path
) -> Mapping[str, float]:
    """Write `report.json`; returns each model's bits a byte by its name and the part's, and the mean of unseen repositories.

    Raises:
        ArtifactError: an input is damaged.
        ConfigError: nothing was held out of the corpus.
    """
    corpus = read_packed_corpus(tokens)
    parts = {name: open_part(tokens, name) for name in corpus.measured}
    if not parts:
        raise ConfigError(
            "the corpus has no test split: expected repositories or files that were held out. Give --code.held-out OWNER/NAME, "
            "or --code.file-share 0.01."
        )
    measured, context = [], 0
    asked: dict[str, int] = {}
    for name, folder in models.items():
        model = Gpt.load(folder)
        context = model.context
        costs = {part: _cost(config, model, text, corpus, name) for part, text in parts.items()}
        asked = {part: cost.tokens for part, cost in costs.items()}
        measured.append(
            MeasuredCausalLm(
                name=name,
                parameters=model.parameter_count,
                embedding_parameters=model.embedding_count,
                parts={
                    part: _told(config, model, parts[part], corpus, cost, part)
                    for part, cost in costs.items()
                },
                by_quality=_by_quality(config, model, parts, corpus),
            )
        )
    write_report(output_dir, CausalLmEvaluation(context=context, tokens=asked, models=tuple(measured)))
    found = {
        f"{model.name}_{part.replace('/', '-')}_bits_per_byte": cost.bits_per_byte
        for model in measured
        for part, cost in model.parts.items()
    }
    means = {f"{model.name}_bits_per_byte": mean for model in measured if (mean := model.mean) is not None}
    return found | means


def _cost(
    config: EvaluateCausalLmConfig,
    model: Gpt,
    text: PackedTokens,
    corpus: PackedCorpus,
    what: str,
    sliding: bool = False,
) -> Cost:
    return cost_of_text(
        model, text, corpus.quality_ids, sliding, config.batch_size, config.mixed_precision, what
    )


def _told(
    config: EvaluateCausalLmConfig,
    model: Gpt,
    text: PackedTokens,
    corpus: PackedCorpus,
    cut: Cost,
    part: str,
) -> TextCost:
    size = corpus.parts[part].bytes
    sliding = _cost(config, model, text, corpus, f"{part}, sliding", sliding=True)
    return TextCost(
        bits_per_byte=cut.bits_per_byte(size),
        sliding=sliding.bits_per_byte(size),
        perplexity=perplexity_of(cut.mean),
    )


def _by_quality(
    config: EvaluateCausalLmConfig, model: Gpt, parts: Mapping[str, PackedTokens], corpus: PackedCorpus
) -> dict[str, float]:
    """What some windows of all parts cost where every file is said to be of one quality, beside what each is said to be.

    Whether the model heeds what it is told of a file: the right word should cost least. Empty where no part fills a window.
    """
    known = sum(part.tokens for name, part in corpus.parts.items() if name in parts)
    size = sum(part.bytes for name, part in corpus.parts.items() if name in parts) / known
    ids = np.concatenate(
        [_spread(text, model.context, config.quality_windows / len(parts)) for text in parts.values()]
    )
    if not len(ids):
        return {}
    told = {OWN: ids} | {quality: told_quality(ids, corpus, quality) for quality in QUALITIES}
    costs = {
        name: cost_of_windows(model, rows, corpus.quality_ids, config.batch_size, config.mixed_precision)
        for name, rows in told.items()
    }
    return {name: cost.bits_per_byte(ids[:, 1:].size * size) for name, cost in costs.items()}


def _spread(text: PackedTokens, length: int, most: float) -> np.ndarray:
    """Windows of a text, evenly from its head to its end, int64 [n, length + 1]: `most`, or all."""
    windows = text.windows(length)
    count = min(len(windows), max(1, round(most)))
    return windows[np.linspace(0, max(len(windows) - 1, 0), count).astype(np.int64)]


def told_quality(ids: np.ndarray, corpus: PackedCorpus, quality: Quality) -> np.ndarray:
    """The same ids, in which every file is said to be of one quality."""
    return np.where(np.isin(ids, corpus.quality_ids), corpus.special[quality_token(quality)], ids)
