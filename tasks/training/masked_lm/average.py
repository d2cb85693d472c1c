"""A checkpoint half-way between two: what it learned, and more of what it knew (Wortsman et al. 2022, Robust fine-tuning of
zero-shot models, section 3).
"""

import shutil
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from infra.errors import ArtifactError, ConfigError, StoreError
from tasks.training.masked_lm.config import AverageConfig

WEIGHTS = "*.safetensors"


def average(config: AverageConfig, before_dir: Path, after_dir: Path, output_dir: Path) -> None:
    """Write the weights (1 - share) * before + share * after, file by file, with all else that lies in `after_dir`.

    Raises ArtifactError when one is damaged, ConfigError when they are no two states of one model, StoreError when the disk
    does not take it.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    files = sorted(path.name for path in after_dir.glob(WEIGHTS))
    for name in files:
        known, learned = read_weights(before_dir / name), read_weights(after_dir / name)
        shapes = [{key: value.shape for key, value in weights.items()} for weights in (known, learned)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"{before_dir} and {after_dir} have weights of other names or shapes: expected two states of one model."
            )
        share = np.float32(config.share)
        mixed = {key: value + share * (learned[key] - value) for key, value in known.items()}
        try:
            save_file(mixed, output_dir / name, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"averaged weights could not be written to {output_dir} ({error}). Free some space, then run again."
            ) from error
    for path in after_dir.iterdir():
        if path.is_file() and path.name not in (*files, "record.json"):
            shutil.copyfile(path, output_dir / path.name)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """All weights of a file by name; raises ArtifactError when it is not there or damaged."""
    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected weights of the model. Make it again."
        ) from error
