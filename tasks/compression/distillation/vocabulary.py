"""Embedding rows for the student's tokens, out of the teacher's."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from infra.errors import ArtifactError

KEPT_IDS = "kept_ids.npy"
COMMON = 10_000  # words; vocabularies are ordered by how common their tokens are, nearly enough
WORD_STARTS = ("\u0120", "\u2581")  # what byte-level BPE and SentencePiece write for the blank before a word


class Vocabulary(NamedTuple):
    """`rows` float [tokens, hidden]; `teacher_ids` int64 [tokens], the same tokens in the teacher's vocabulary, None
    where there are others.
    """

    rows: torch.Tensor
    teacher_ids: torch.Tensor | None

    @property
    def inherited(self) -> bool:
        """Whether each row is the teacher's row of the same token."""
        return self.teacher_ids is not None


def student_vocabulary(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    teacher_rows: torch.Tensor,
    teacher: PreTrainedTokenizerBase,
) -> Vocabulary:
    """Rows for `tokenizer` (read from `folder`) from `teacher_rows` float [teacher's tokens, hidden].

    A trimmed vocabulary names its rows in `kept_ids.npy`, the teacher's own keeps them all. Tokens of a new
    vocabulary start at the mean of the pieces that the teacher cuts them into (Gee et al. 2022, Fast
    Vocabulary Transfer for Language Model Compression, section 3).

    Raises ArtifactError when `kept_ids.npy` does not belong to the tokenizer and the teacher.
    """
    if (folder / KEPT_IDS).is_file():
        kept = _kept_ids(folder, len(tokenizer), len(teacher_rows))
        return Vocabulary(teacher_rows[kept], kept)
    if tokenizer.get_vocab() == teacher.get_vocab():
        return Vocabulary(teacher_rows.clone(), torch.arange(len(teacher_rows)))
    known, roles = teacher.get_vocab(), _same_roles(tokenizer, teacher)
    rows = teacher_rows.mean(dim=0).repeat(len(tokenizer), 1)
    for token, new in tokenizer.get_vocab().items():
        token = roles.get(token, token)
        text = tokenizer.convert_tokens_to_string([token.removeprefix("##")]).strip()
        pieces = [known[token]] if token in known else teacher(text, add_special_tokens=False)["input_ids"]
        if pieces:
            rows[new] = teacher_rows[pieces].mean(dim=0)
    return Vocabulary(rows, None)


def common_words(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The commonest whole words of two letters or more in a vocabulary, by id."""
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=lambda token: ids[token])
    marked = [token[1:] for token in tokens if token.startswith(WORD_STARTS)]
    return [token for token in marked or tokens if token.isalpha() and len(token) > 1][:COMMON]


def _kept_ids(folder: Path, tokens: int, teacher_tokens: int) -> torch.Tensor:
    path = folder / KEPT_IDS
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected int64 ids. Build the tokenizer again."
        ) from error
    if len(kept) != tokens or kept.min() < 0 or kept.max() >= teacher_tokens:
        raise ArtifactError(
            f"{path} keeps {len(kept)} ids from {kept.min()} to {kept.max()}: expected {tokens} (one for "
            f"each token) below the teacher's {teacher_tokens}. Build the tokenizer anew from its base."
        )
    return torch.from_numpy(kept)


def _same_roles(tokenizer: PreTrainedTokenizerBase, teacher: PreTrainedTokenizerBase) -> Mapping[str, str]:
    """The student's special tokens to the teacher's of the same role, such as <pad> to [PAD]."""
    theirs = teacher.special_tokens_map
    return {token: theirs[role] for role, token in tokenizer.special_tokens_map.items() if role in theirs}
