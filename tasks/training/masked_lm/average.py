"""A checkpoint half-way between two: what it learned, and more of what it knew (Wortsman et al. 2022, Robust fine-tuning of
zero-shot models, section 3).
"""

from pathlib import Path

import torch

from infra.errors import ConfigError
from tasks.models.loading import load_tokenizer
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.config import AverageConfig


def average(config: AverageConfig, before_dir: Path, after_dir: Path, output_dir: Path) -> None:
    """Write the weights (1 - share) * before + share * after, with the tokenizer of `after_dir`.

    Raises ArtifactError when one is damaged, ConfigError when they are no two states of one model.
    """
    before, after = MaskedLanguageModel.load(before_dir), MaskedLanguageModel.load(after_dir)
    known, learned = before.state_dict(), after.state_dict()
    shapes = [{name: value.shape for name, value in weights.items()} for weights in (known, learned)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"{before_dir} and {after_dir} have weights of other names or shapes: expected two states of one model."
        )
    mixed = {name: torch.lerp(value, learned[name], config.share) for name, value in known.items()}
    after.load_state_dict(mixed)
    after.save(output_dir, load_tokenizer(after_dir))
