"""TF-IDF of words and of characters with a linear classifier: its files, and its logits.

The weights are safetensors and the vocabulary is JSON: opening them runs no code, they are the same bytes
each time, and 47,000 terms load in a tenth of a second (skops takes eight seconds, and its bytes hold memory
addresses).

The weights may lie as int8, each class with a scale of its own (`scale` float32 [classes]); they are multiplied out when
they are read.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sklearn
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from infra.errors import ArtifactError
from tasks.formats.out_of_scope import RuledLabels
from tasks.formats.value import Value, write_value
from tasks.inference.baseline import BaselineRunner

INFO_FILE, WEIGHTS_FILE, VOCABULARY_FILE = "baseline.json", "model.safetensors", "vocabulary.json"
WORD = r"(?u)\b\w+\b"  # unlike scikit-learn's own pattern it keeps words of one letter, "i" among them
Vocabulary = dict[str, list[str]]


class TermLimits(Value):
    """Which terms of a text count."""

    words: tuple[int, int] = Field(description="shortest and longest run of words, in words")
    characters: tuple[int, int] = Field(description="shortest and longest piece of a word, in characters")
    minimum_rows: int = Field(description="training rows that a term must stand in")
    maximum_terms: int = Field(description="commonest terms kept, of words and of characters each")
    text_characters: int = Field(description="characters that a text is cut to")


class BaselineInfo(RuledLabels):
    """`baseline.json`: what the classifier's columns mean, its rule and its terms."""

    terms: TermLimits


class TfidfClassifier:
    """`features` (texts to terms), then a linear map: `weight` float32 [terms, classes], `bias` [classes]."""

    def __init__(
        self, features: FeatureUnion, weight: np.ndarray, bias: np.ndarray, text_characters: int
    ) -> None:
        self.features, self.weight, self.bias = features, weight, bias
        self.text_characters = text_characters

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits float32 [n, classes], before any rule."""
        return self.features.transform(cut(texts, self.text_characters)) @ self.weight + self.bias

    def save(self, folder: Path, info: BaselineInfo) -> None:
        """Write the three files of a baseline."""
        parts = dict(self.features.transformer_list)
        vocabulary = {name: part.get_feature_names_out().tolist() for name, part in parts.items()}
        tensors = {f"idf.{name}": part.idf_.astype(np.float32) for name, part in parts.items()}
        save_file(tensors | {"weight": self.weight, "bias": self.bias}, folder / WEIGHTS_FILE)
        (folder / VOCABULARY_FILE).write_text(
            json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        write_value(folder / INFO_FILE, info)


def cut(texts: Sequence[str], characters: int) -> list[str]:
    """The beginning of each text: the last terms of a very long one cost more than they tell."""
    return [text[:characters] for text in texts]


def build_features(terms: TermLimits, vocabulary: Vocabulary | None = None) -> FeatureUnion:
    """TF-IDF of words and of characters within words, side by side; `vocabulary` fixes the terms."""
    limits = {"min_df": terms.minimum_rows, "max_features": terms.maximum_terms} if vocabulary is None else {}
    shared = {"sublinear_tf": True, "dtype": np.float32, **limits}
    fixed = vocabulary or {}
    words = TfidfVectorizer(
        ngram_range=terms.words, token_pattern=WORD, vocabulary=fixed.get("words"), **shared
    )
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=terms.characters, vocabulary=fixed.get("characters"), **shared
    )
    return FeatureUnion([("words", words), ("characters", characters)])


def load_tfidf(folder: Path) -> tuple[TfidfClassifier, BaselineInfo]:
    """Read a baseline; raises ArtifactError when a file is missing or damaged."""
    try:
        info = BaselineInfo.model_validate_json((folder / INFO_FILE).read_text(encoding="utf-8"))
        vocabulary = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_FILE)
        features = build_features(info.terms, vocabulary)
        for name, part in features.transformer_list:
            part.idf_ = tensors[f"idf.{name}"]
        weight, bias = _read_weight(tensors), tensors["bias"]
        terms = sum(len(names) for names in vocabulary.values())
        if weight.shape != (terms, len(info.labels)) or bias.shape != (len(info.labels),):
            raise ValueError(f"weights {weight.shape} for {terms} terms and {len(info.labels)} labels")
    except (OSError, ValueError, KeyError, ValidationError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder} is no TF-IDF baseline that can be read ({type(error).__name__}: {error}): expected "
            f"{INFO_FILE}, {VOCABULARY_FILE} and {WEIGHTS_FILE} of one model. Run fit_baseline again."
        ) from error
    return TfidfClassifier(features, weight, bias, info.terms.text_characters), info


def _read_weight(tensors: dict[str, np.ndarray]) -> np.ndarray:
    weight = tensors["weight"]
    return weight * tensors["scale"] if weight.dtype == np.int8 else weight


def open_tfidf(folder: Path) -> BaselineRunner:
    """A baseline with its rule; raises as `load_tfidf` does."""
    model, info = load_tfidf(folder)
    return BaselineRunner(model.logits, info, f"scikit-learn {sklearn.__version__}")
