"""Trim a pretrained WordPiece vocabulary to what the texts need, so that the student's embedding is small.

Each token is one embedding row, and in a student of two layers most of the weights are embedding rows. Kept,
in this order up to the size: special tokens; single characters, so that no word over them is unknown; tokens
of the training texts by frequency; the commonest of the rest, so that unseen words stay whole too. The base
vocabulary's own order stands for "commonest": WordPiece training adds tokens about in the order of their
frequency.
"""

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from infra.errors import ConfigError
from tasks.tokenizers.wordpiece import WordPiece

logger = logging.getLogger(__name__)

# All letters of a script are kept once it makes up this share of the training texts' letters; of a rarer
# script only those that were seen.
SCRIPT_SHARE = 0.001
ALWAYS_KEPT = "LATIN"


@dataclass(frozen=True)
class TextCounts:
    """Occurrences in the training texts of each base token, int64 [vocabulary], and of each character."""

    tokens: np.ndarray
    characters: Counter[str]


def count_texts(base: WordPiece, batches: Iterable[list[str]]) -> TextCounts:
    """Count tokens and (normalized) characters of all texts, without special tokens."""
    tokens = np.zeros(max(base.tokens) + 1, dtype=np.int64)
    characters: Counter[str] = Counter()
    for batch in batches:
        encodings = base.tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        ids = [np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings]
        tokens += np.bincount(np.concatenate(ids), minlength=len(tokens))
        characters.update(base.normalized("\n".join(batch)))
    return TextCounts(tokens, characters)


def choose_tokens(
    base: WordPiece,
    counts: TextCounts,
    size: int,
    characters: str = "scripts",
    field: str = "tokenizer.vocabulary_size",
) -> np.ndarray:
    """Ids of the tokens to keep, int64 [at most `size`]: special tokens, then the others, each in base order.

    Raises ConfigError, which names `field`, when the size does not hold the special tokens and single characters.
    """
    needed = [*base.special, *_kept_characters(base, counts.characters, characters)]
    if size < len(needed):
        raise ConfigError(
            f"{field} is {size}: expected at least {len(needed)} for {len(base.special)} "
            f"special tokens and {len(needed) - len(base.special)} single characters "
            f"(characters={characters}). Ask for more tokens."
        )
    reachable = base.reachable
    if size > (most := len(base.special) + len(reachable)):
        logger.warning("%s is %d: a text can give %d tokens of the base model.", field, size, most)
    counted = {token: int(counts.tokens[base.ids[token]]) for token in reachable}
    seen = sorted((token for token in reachable if counted[token]), key=lambda token: -counted[token])
    single = set(base.characters)
    rest = [token for token in reachable if token not in single]
    # A dict is an ordered set: each token at its first place.
    ranked = list(dict.fromkeys([*needed, *seen, *rest, *base.characters]))[:size]
    others = sorted(base.ids[token] for token in ranked[len(base.special) :])
    return np.array([base.ids[token] for token in base.special] + others, dtype=np.int64)


def _kept_characters(base: WordPiece, seen: Counter[str], choice: str) -> list[str]:
    if choice == "all":
        return base.characters
    letters: Counter[str] = Counter()
    for character, count in seen.items():
        if (script := script_of(character)) is not None:
            letters[script] += count
    enough = SCRIPT_SHARE * letters.total()
    common = {ALWAYS_KEPT, None, *(script for script, count in letters.items() if count >= enough)}
    bodies = ((token, base.body(token)) for token in base.characters)
    return [token for token, character in bodies if character in seen or script_of(character) in common]


def script_of(character: str) -> str | None:
    """Script of a letter or mark (LATIN, CYRILLIC, CJK); None for digits, punctuation, symbols and the like.

    The standard library has no table of scripts, but the Unicode names of letters begin with them.
    """
    if unicodedata.category(character)[0] not in "LM":
        return None
    return unicodedata.name(character, "UNKNOWN").split()[0]
