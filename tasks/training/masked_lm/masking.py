"""Masks as a pure function of seed, pass and row: the same in whatever batch, process or attempt a row is.

NumPy alone. Each row draws from its own counter (`Draw`), as many numbers whatever they decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from transformers import PreTrainedTokenizerBase

from infra.errors import ConfigError
from tasks.formats.packed_tokens import VocabularyInfo
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.config import MaskingConfig

IGNORED = -100  # label of what is not asked for: torch's and transformers' own


@dataclass(frozen=True)
class Vocabulary:
    """Ids below `size`, those of `special` tokens, and the one of them that hides a token."""

    size: int
    special: tuple[int, ...]
    mask: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Self:
        """A tokenizer's; raises ConfigError when it has no mask token."""
        if tokenizer.mask_token_id is None:
            raise ConfigError(
                f"the tokenizer of {tokenizer.name_or_path} has no mask token: expected one of a masked language model. "
                "Take another model."
            )
        return cls(len(tokenizer), tuple(sorted(tokenizer.all_special_ids)), tokenizer.mask_token_id)

    @classmethod
    def of_packed(cls, info: VocabularyInfo) -> Self:
        """That of packed text; raises ConfigError when its tokenizer has no mask token."""
        if info.mask is None:
            raise ConfigError(
                "the text was packed by a tokenizer without a mask token: expected one of a masked language model. Take "
                "another model."
            )
        return cls(info.size, info.special, info.mask)

    @cached_property
    def is_special(self) -> np.ndarray:
        """Of each id, bool [size]."""
        found = np.zeros(self.size, dtype=bool)
        found[[*self.special, self.mask]] = True
        return found

    @cached_property
    def ordinary(self) -> np.ndarray:
        """Ids that are not special, int64."""
        return np.flatnonzero(~self.is_special)


class Masked(NamedTuple):
    """`input_ids` as the model is shown them; `labels` are the true ids where it is asked, IGNORED elsewhere. Both int64."""

    input_ids: np.ndarray
    labels: np.ndarray


def mask(
    ids: np.ndarray,
    word_starts: np.ndarray,
    random: np.random.Generator,
    config: MaskingConfig,
    vocabulary: Vocabulary,
) -> Masked:
    """Mask one row.

    What a masked token is shown as is drawn token by token, also in a whole word (Devlin's `create_pretraining_data.py`).

    Args:
        ids: int64 [length].
        word_starts: which tokens start a word, bool [length]. A special token is a word of its own whatever it says, and so
            is what a row's beginning cut off from its word.
        random: the row's own numbers.
        config: kind, rate and shares.
        vocabulary: special tokens are never masked, and never drawn as random ones.
    """
    rate, mask_share, random_share = config.shares
    special = vocabulary.is_special[ids]
    chosen, shown = random.random((2, len(ids)))
    drawn = vocabulary.ordinary[random.integers(len(vocabulary.ordinary), size=len(ids))]
    if config.kind == "whole_word":
        chosen = chosen[first_of_word(word_starts, special)]
    masked = (chosen < rate) & ~special
    hidden = masked & (shown < mask_share)
    swapped = masked & ~hidden & (shown < mask_share + random_share)
    return Masked(
        np.where(hidden, vocabulary.mask, np.where(swapped, drawn, ids)), np.where(masked, ids, IGNORED)
    )


def first_of_word(word_starts: np.ndarray, special: np.ndarray) -> np.ndarray:
    """Position of the first token of each token's word, int64 [length], from two bool [length]."""
    starts = word_starts | special
    starts[1:] |= special[:-1]
    return np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))


def mask_rows(
    ids: Sequence[np.ndarray],
    word_starts: Sequence[np.ndarray],
    rows: np.ndarray,
    draw: Draw,
    config: MaskingConfig,
    vocabulary: Vocabulary,
) -> list[Masked]:
    """Mask several rows; `rows` int64 [n] are the numbers that they draw by. See `mask`."""
    return [
        mask(own, starts, draw.random(int(row)), config, vocabulary)
        for own, starts, row in zip(ids, word_starts, rows, strict=True)
    ]
