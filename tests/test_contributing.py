"""The example of a new objective in CONTRIBUTING.md, as it stands there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from infra.errors import ConfigError
from tasks.formats.token_shards import TokenShards
from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.objective import Draw, Term
from tasks.training.loop.sampler import LengthGrouped
from tasks.training.text_objective import TextObjective, TextRows
from tests.pages import python_blocks
from tests.tasks.training.lesson import CONFIG, make_model, silent

PAGE = Path("CONTRIBUTING.md")


def pairs_of_texts() -> TextRows:
    """A word, and the one beside it in the vocabulary, in four sentences each."""
    random = np.random.default_rng(0)
    rows = [
        [2, *random.integers(5, 9, size=1 + pair % 4).tolist(), 9 + 2 * (pair % 6) + side, 3]
        for pair in range(24)
        for side in range(2)
    ]
    return TextRows(TokenShards.of(rows), 0)


def vectors_of(model: SentenceClassifier, texts: TextRows) -> np.ndarray:
    """Those of the first pair of each word, float [12, hidden]."""
    return embed_and_classify(model, [texts.ids[row] for row in range(12)], 0).vectors


def test_the_objective_of_the_page_trains_as_its_test_says(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "NamedTuple": NamedTuple, "Mapping": Mapping, "np": np, "torch": torch, "cross_entropy": cross_entropy, "Path": Path,
        "pytest": pytest, "Draw": Draw, "Term": Term, "TextObjective": TextObjective, "LengthGrouped": LengthGrouped,
        "SentenceClassifier": SentenceClassifier, "ConfigError": ConfigError, "Evaluated": Evaluated, "fit": fit,
        "CONFIG": CONFIG, "make_model": make_model, "silent": silent, "pairs_of_texts": pairs_of_texts,
        "vectors_of": vectors_of,
    }  # fmt: skip
    for block in python_blocks(PAGE, "Adding an objective"):
        exec(block, given)
    tests: list[Callable[[Path], None]] = [value for name, value in given.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0](tmp_path)
