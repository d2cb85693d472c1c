"""fastText with a linear classifier: its files, and its logits. Needs the extra `bench` (fasttext-numpy2).

`model.bin` is fastText's own format (plain numbers, no code); a quantized model has the same name. The output matrix
lies beside it: logits are its product with the mean of the text's vectors, while fastText's own answer is a
softmax, after which the energy of the in-scope classes cannot be told any more.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from infra.errors import ArtifactError, ConfigError
from tasks.out_of_scope.rule import OutOfScopeRule, apply_rule

INFO_FILE, MODEL_FILE, WEIGHTS_FILE = "fasttext.json", "model.bin", "model.safetensors"
DISTRIBUTION = "fasttext-numpy2"
PIECES = re.compile(r"\w+|[^\w\s]")
NEVER = -20.0  # logit of a class without training rows


class FastTextInfo(BaseModel):
    """`fasttext.json`: what the classifier's columns mean, and its rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = Field(description="class names; a label's id is its index")
    out_of_scope: str | None = Field(description="the label of what the model does not serve, or null")
    rule: OutOfScopeRule | None = Field(description="when a text is out of scope, chosen on validation")


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
        (folder / INFO_FILE).write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")


def library() -> ModuleType:
    """The fastText library; raises ConfigError when it is not installed."""
    try:
        return import_module("fasttext")
    except ImportError as error:
        raise ConfigError(
            f"fastText is not installed ({error}): expected the package {DISTRIBUTION}. "
            "Install it with: pip install 'stillhouse[bench]'."
        ) from error


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


class FastTextRunner:
    """fastText with its rule, from texts to logits."""

    rows_independent = True
    ruled = True
    temperature: float | None = None

    def __init__(self, folder: Path) -> None:
        self._model, info = load_fast_text(folder)
        self.labels = info.labels
        self.runtime = f"fasttext {version(DISTRIBUTION)}"
        self.rule = info.rule
        self._out_of_scope = None if info.out_of_scope is None else info.labels.index(info.out_of_scope)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes] with the rule in the out-of-scope class."""
        return apply_rule(self._model.logits(texts), self.rule, self._out_of_scope)
