"""Masked language models on the same hidden tokens of the test split: perplexity, and what they put into gaps."""

from collections.abc import Mapping
from pathlib import Path

from tasks.evaluation.language_models.config import GAP, EvaluateLmConfig
from tasks.formats.frozen_masks import read_frozen
from tasks.formats.lm_report import EvaluatedLm, Filled, GapFill, LmEvaluation
from tasks.formats.report_file import write_report
from tasks.metrics.perplexity import perplexity_of
from tasks.models.device import accelerated_device
from tasks.models.loading import load_tokenizer
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.config import FrozenConfig
from tasks.training.masked_lm.fills import fills
from tasks.training.masked_lm.frozen import negative_log_likelihood
from tasks.training.masked_lm.masking import IGNORED
from tasks.training.precision import autocast


def evaluate_lm(
    config: EvaluateLmConfig, models: Mapping[str, Path], masks: Path, output_dir: Path
) -> Mapping[str, float]:
    """Write `report.json`; returns each model's perplexity by its name.

    Raises ArtifactError for a damaged input, or a model without a head.
    """
    rows, frozen = [], read_frozen(masks)
    for name, folder in models.items():
        model, tokenizer = MaskedLanguageModel.load(folder), load_tokenizer(folder)
        with autocast(config.mixed_precision, accelerated_device()):
            loss = negative_log_likelihood(model, frozen, FrozenConfig())
        filled = tuple(
            Filled(
                text=text,
                fills=tuple(
                    GapFill(**fill._asdict())
                    for fill in fills(
                        model, tokenizer, text.replace(GAP, str(tokenizer.mask_token)), config.fills
                    )
                ),
            )
            for text in config.texts
        )
        counts = _parameters(model)
        rows.append(
            EvaluatedLm(name=name, loss=loss, perplexity=perplexity_of(loss), filled=filled, **counts)
        )
    hidden = int((frozen.labels != IGNORED).sum())
    write_report(output_dir, LmEvaluation(documents=len(frozen.labels), hidden=hidden, models=tuple(rows)))
    return {f"{row.name}_perplexity": row.perplexity for row in rows}


def _parameters(model: MaskedLanguageModel) -> dict[str, int]:
    body = model.body
    embeddings = sum(value.numel() for value in body.get_submodule("embeddings").parameters())
    layers = sum(value.numel() for value in body.parameters()) - embeddings
    return {"parameters": sum(value.numel() for value in model.parameters()), "layer_parameters": layers}
