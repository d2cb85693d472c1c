"""What lies beside an exported graph and is the same for every runtime: labels, rule, tokenizer, its inputs.

Importing this module imports no more than numpy and tokenizers: it is a part of what serving stands on.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Encoding, Tokenizer

from infra.errors import ArtifactError
from tasks.foreign.rust import panics_caught, tokenizing

if TYPE_CHECKING:
    from tasks.out_of_scope.rule import OutOfScopeRule

Feeds = dict[str, np.ndarray]  # `input_ids` and `attention_mask`, int64 [batch, sequence]


def read_labels(folder: Path) -> tuple[str, ...]:
    """Class names of `config.json` in the order of the logits; raises ArtifactError when it has none."""
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        return tuple(names[str(i)] for i in range(len(names)))
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{folder}/config.json does not name the labels ({type(error).__name__}: {error}): expected "
            "id2label. Export the model again."
        ) from error


def read_rule(folder: Path) -> "OutOfScopeRule | None":
    """The rule of the model in `folder`, as its `config.json` says; None where it has none."""
    # Here and not above: with the rule come pydantic and pyarrow, for which an answer has no use.
    from pydantic import ValidationError

    from tasks.out_of_scope.rule import OutOfScopeRule

    rule = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("out_of_scope")
    try:
        return None if rule is None else OutOfScopeRule.model_validate(rule)
    except ValidationError as error:
        raise ArtifactError(
            f"{folder}/config.json says out_of_scope as {rule!r}: expected label, score, threshold and "
            "expected_share, or null. Export the model again."
        ) from error


def read_temperature(folder: Path) -> float:
    """What the logits of the model in `folder` are divided by, as its `config.json` says; 1 where it does not.

    Raises ArtifactError when it is not a number above zero.
    """
    temperature = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise ArtifactError(
            f"{folder}/config.json says temperature as {temperature!r}: expected a number above zero. Export the model "
            "again."
        )
    return float(temperature)


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer beside the graph, which cuts and pads by itself; raises ArtifactError if it does not."""
    path = folder / "tokenizer.json"
    try:
        with panics_caught():
            tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises a bare Exception
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected a fast tokenizer. Export the model again."
        ) from error
    if tokenizer.padding is None or tokenizer.truncation is None:
        raise ArtifactError(
            f"{path} sets no padding or no truncation: expected both. Export the model again."
        )
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Feeds:
    """The graph's inputs for `texts` as one batch, cut and padded as the tokenizer says.

    Raises ArtifactError when the tokenizer fails at a text.
    """
    with tokenizing("an exported model"):
        return feeds_of(tokenizer.encode_batch_fast(list(texts)))


def feeds_of(rows: Sequence[Encoding]) -> Feeds:
    """The graph's inputs for encoded texts of one length."""
    return {
        "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
        "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
    }
