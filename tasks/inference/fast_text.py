"""fastText with a linear classifier: its files, and its logits. Needs the extra `bench` (fasttext-numpy2).

`model.bin` is fastText's own format (plain numbers, no code); a quantized model has the same name. The output matrix
lies beside it: logits are its product with the mean of the text's vectors, while fastText's own answer is a
softmax, after which the energy of the in-scope classes cannot be told any more.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from infra.errors import ArtifactError, ConfigError
from tasks.decision.rule import NEVER
from tasks.formats.out_of_scope import RuledLabels
from tasks.formats.value import write_value
from tasks.inference.baseline import BaselineRunner

INFO_FILE, MODEL_FILE, WEIGHTS_FILE = "fasttext.json", "model.bin", "model.safetensors"
DISTRIBUTION = "fasttext-numpy2"
PIECES = re.compile(r"\w+|[^\w\s]")


class FastTextInfo(RuledLabels):
    """`fasttext.json`: what the classifier's columns mean, and its rule."""


class FastTextClassifier:
    """A fastText model (of the library) with the matrix that reads its vectors, float32 [classes, dimensions]."""

    def __init__(self, model: Any, weight: np.ndarray, classes: np.ndarray, labels: int) -> None:
        """`classes` int64 [rows of weight] are the ids of the labels that had training rows, of `labels` in all."""
        self.model, self.weight, self.classes, self.labels = model, weight, classes, labels

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, labels], before any rule."""
        logits = np.full((len(texts), self.labels), NEVER, dtype=np.float32)
        for row, text in enumerate(texts):
            logits[row, self.classes] = self.weight @ self.model.get_sentence_vector(plain(text))
        return logits

    def save(self, folder: Path, info: FastTextInfo) -> None:
        """Write the three files."""
        self.model.save_model(str(folder / MODEL_FILE))
        save_file({"weight": self.weight, "classes": self.classes}, folder / WEIGHTS_FILE)
        write_value(folder / INFO_FILE, info)


def library() -> ModuleType:
    """The fastText library; raises ConfigError when it is not installed."""
    try:
        import fasttext
    except ImportError as error:
        raise ConfigError(
            f"fastText is not installed ({error}): expected the package {DISTRIBUTION}. "
            "Install it with: pip install 'stillhouse[bench]'."
        ) from error
    return fasttext


def plain(text: str) -> str:
    """Words and signs in lower case, apart by blanks: fastText splits at blanks only."""
    return " ".join(PIECES.findall(text.lower()))


def load_model(folder: Path) -> Any:
    """The library's model in `folder`; raises ValueError when it does not take the file."""
    return library().load_model(str(folder / MODEL_FILE))


def load_fast_text(folder: Path) -> tuple[FastTextClassifier, FastTextInfo]:
    """Read a model; raises ArtifactError when a file is missing or damaged, ConfigError without the library."""
    library()
    try:
        info = FastTextInfo.model_validate_json((folder / INFO_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_FILE)
        model = load_model(folder)
        weight, classes = tensors["weight"], tensors["classes"]
        if weight.shape != (len(classes), model.get_dimension()) or len(classes) > len(info.labels):
            raise ValueError(
                f"weights {weight.shape} for {model.get_dimension()} dimensions and {len(info.labels)} labels"
            )
    except (OSError, ValueError, KeyError, ValidationError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder} is no fastText model that can be read ({type(error).__name__}: {error}): expected "
            f"{INFO_FILE}, {MODEL_FILE} and {WEIGHTS_FILE} of one model. Run fit_fast_text again."
        ) from error
    return FastTextClassifier(model, weight, classes, len(info.labels)), info


def open_fast_text(folder: Path) -> BaselineRunner:
    """fastText with its rule; raises as `load_fast_text` does."""
    model, info = load_fast_text(folder)
    return BaselineRunner(model.logits, info, f"fasttext {version(DISTRIBUTION)}")
