"""TF-IDF with its weights as int8, for a release in int8 is not to be compared with float32 alone."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from tasks.inference.tfidf import INFO_FILE, VOCABULARY_FILE, WEIGHTS_FILE, BaselineInfo, load_tfidf
from tests.benchmarks.own_rule import give_rule

LARGEST = 127


def quantize_tfidf(
    baseline: Path, dataset: Path, output_dir: Path, expected_share: float | None
) -> dict[str, float]:
    """Write the baseline in the folder `baseline` with int8 weights and a rule of its own to `output_dir`.

    Returns the accuracy on validation. Raises ArtifactError for a damaged baseline.
    """
    load_tfidf(baseline)
    tensors = load_file(baseline / WEIGHTS_FILE)
    tensors["weight"], tensors["scale"] = to_int8(tensors["weight"])
    save_file(tensors, output_dir / WEIGHTS_FILE)
    terms = json.loads((baseline / VOCABULARY_FILE).read_text(encoding="utf-8"))
    closely = json.dumps(terms, ensure_ascii=False, separators=(",", ":"))
    (output_dir / VOCABULARY_FILE).write_text(closely + "\n", encoding="utf-8")
    shutil.copyfile(baseline / INFO_FILE, output_dir / INFO_FILE)
    return give_rule(output_dir / INFO_FILE, BaselineInfo, dataset, expected_share)


def to_int8(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight float32 [terms, classes] as int8 of that shape and the scale of each class, float32 [classes].

    Symmetric: a class's largest weight is 127 of its scales.
    """
    scale = np.maximum(np.abs(weight).max(axis=0) / LARGEST, np.finfo(np.float32).tiny)
    return np.rint(weight / scale).astype(np.int8), scale
