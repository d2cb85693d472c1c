"""fastText with the settings that its own autotune finds on validation, which is what its user would take.

Autotune tries settings until its seconds are over, so it finds others on a faster machine: what it found is kept beside
the model. How fastText is trained: tasks/baselines/fast_text_training.py.
"""

import tempfile
from pathlib import Path

import numpy as np
from pydantic import Field

from infra.errors import ConfigError
from tasks.baselines.config import ExpectedShare
from tasks.baselines.fast_text import PREFIX, labelled_lines
from tasks.baselines.fast_text_training import FRESH_MEMORY
from tasks.formats.asked import Asked
from tasks.formats.dataset import load_info, load_split
from tasks.inference.fast_text import (
    INFO_FILE,
    MODEL_FILE,
    FastTextClassifier,
    FastTextInfo,
    library,
    load_model,
)
from tasks.processes.worker import Worker
from tests.benchmarks.own_rule import give_rule
from tests.benchmarks.settings import Settings, write_settings

FOUND = ("lr", "epoch", "dim", "wordNgrams", "minn", "maxn", "bucket", "loss")  # by the library's names


class AutotuneConfig(Asked):
    """How long fastText looks for settings."""

    seconds: int = Field(
        300, ge=1, description="of trying settings, the library's own default; then it trains once more"
    )
    expected_share: ExpectedShare = None
    seed: int = Field(0, ge=0, lt=2**31, description="order of the rows, and fastText's own")


def fit_autotuned(config: AutotuneConfig, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Find settings on validation by autotune's default metric, F1 of the best label; write that model, its rule, settings.

    Returns the accuracy on validation. Raises ConfigError when the library is not installed or finds no settings with
    which training does not diverge.
    """
    library()  # said before a process is started for it
    info = load_info(dataset)
    with tempfile.TemporaryDirectory(prefix="fasttext-") as scratch:
        folder = Path(scratch)
        for name in ("train", "validation"):
            lines = labelled_lines(load_split(dataset, name), config.seed)
            (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
        with Worker("fastText's autotune", FRESH_MEMORY) as worker:
            weight, names, settings = worker.ask(autotune, folder, config)
        model = load_model(folder)
    classes = np.array([int(name.removeprefix(PREFIX)) for name in names], dtype=np.int64)
    described = FastTextInfo(labels=info.labels, out_of_scope=info.out_of_scope, rule=None)
    FastTextClassifier(model, weight, classes, len(info.labels)).save(output_dir, described)
    write_settings(output_dir, settings)
    return give_rule(output_dir / INFO_FILE, FastTextInfo, dataset, config.expected_share)


def autotune(folder: Path, config: AutotuneConfig) -> tuple[np.ndarray, list[str], Settings]:
    """Train on `train.txt` with what was best on `validation.txt`, save the model in `folder`.

    Returns the output matrix float32 [labels, dimensions], the labels of its rows and the settings found. Raises
    ConfigError when there are none.
    """
    try:
        model = library().train_supervised(
            str(folder / "train.txt"),
            autotuneValidationFile=str(folder / "validation.txt"),
            autotuneDuration=config.seconds,
            seed=config.seed,
            thread=1,
            verbose=0,
        )
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"fastText's autotune found no settings in {config.seconds} s ({error}): expected some that train to the end. "
            "Give it more seconds."
        ) from error
    model.save_model(str(folder / MODEL_FILE))
    settings: Settings = {name: _plain(getattr(model, name)) for name in FOUND}
    return np.array(model.get_output_matrix(), dtype=np.float32), model.get_labels(), settings


def _plain(value: object) -> int | float | str:
    """A setting as JSON has it: the loss is an enumeration of the library's, rates have digits of no worth."""
    if isinstance(value, float):
        return float(f"{value:.3g}")
    return value if isinstance(value, int) else str(value).rpartition(".")[2]
