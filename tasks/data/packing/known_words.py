"""Tokens of a text by its words: each word's are asked of the tokenizer once, and remembered.

A tokenizer that cuts a text into words, and each word into tokens by itself, gives a word the same tokens wherever it stands.
Code says the same words again and again (a million words of it have 34,000 different ones), and cutting text into words by `re`
is quicker than tokenizing it. Of ASCII alone, because other libraries have other versions of Unicode: a text that has more is
cut at the ends of lines, where a word always ends.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain, groupby
from typing import Any

import numpy as np
from tokenizers import Tokenizer

MOST_CHARACTERS = 30_000_000  # of remembered words; each takes some 20 bytes
INDENTS = r"\s+(?!\S)|\s+"
# Patterns that leave no character out, cut a word that stands alone as they cut it out of its text, and have no word in which a
# blank or newline stands behind another character (tests hold them to it, and to be those of tasks/tokenizers/code); and what
# is the same in ASCII.
IN_ASCII = {
    r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|" + INDENTS: (
        r"[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+|" + INDENTS
    ),
    r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|" + INDENTS: (
        r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|" + INDENTS
    ),
}
LINE_END = re.compile(r"(?<=[!-~])(?=\n)")


class KnownWords:
    """The words that were met so far and their tokens."""

    def __init__(self, tokenizer: Tokenizer, pattern: re.Pattern[str]) -> None:
        self._tokenizer, self._pattern = tokenizer, pattern
        self._places: dict[str, int] = {}
        self._lengths = self._first = self._ids = np.zeros(0, dtype=np.int64)
        self._characters = 0

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids, int64 [tokens], and how many each text has, int64 [texts], of texts in ASCII."""
        words = [self._pattern.findall(text) for text in texts]
        self._learn(set(chain.from_iterable(words)) - self._places.keys())
        count = np.fromiter(map(len, words), np.int64, len(words))
        places = np.fromiter(
            map(self._places.__getitem__, chain.from_iterable(words)), np.int64, int(count.sum())
        )
        lengths = self._lengths[places]
        ends = lengths.cumsum()
        # A word's tokens lie one after the other: where its first one is, and so on.
        ids = self._ids[np.repeat(self._first[places] - (ends - lengths), lengths) + np.arange(lengths.sum())]
        of_texts = np.bincount(np.repeat(np.arange(len(words)), count), lengths, len(words)).astype(np.int64)
        if self._characters > MOST_CHARACTERS:
            self._forget()
        return ids, of_texts

    def _learn(self, new: set[str]) -> None:
        if not new:
            return
        words = sorted(new)
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(words)]
        self._places.update(zip(words, range(len(self._places), len(self._places) + len(words)), strict=True))
        self._lengths = np.concatenate([self._lengths, np.fromiter(map(len, found), np.int64, len(found))])
        self._ids = np.concatenate([self._ids, np.fromiter(chain.from_iterable(found), np.int64)])
        self._first = self._lengths.cumsum() - self._lengths
        self._characters += sum(map(len, words))

    def _forget(self) -> None:
        self._places.clear()
        self._lengths = self._first = self._ids = self._ids[:0]
        self._characters = 0


def in_pieces(text: str) -> list[str]:
    """The text cut so that a piece is in ASCII, or else some lines: no word of theirs has parts in two pieces."""
    if text.isascii():
        return [text]
    return ["".join(lines) for _, lines in groupby(LINE_END.split(text), str.isascii)]


def words_of(tokenizer: Tokenizer) -> KnownWords | None:
    """For a tokenizer that looks at each word alone and takes all characters for text; None for any other."""
    said: dict[str, Any] = json.loads(tokenizer.to_str())
    before, model = said["pre_tokenizer"] or {}, said["model"]
    steps = before.get("pretokenizers") or [{}]
    pattern = IN_ASCII.get(steps[0].get("pattern", {}).get("Regex", ""))
    split = {"type": "Split", "behavior": "Isolated", "invert": False}
    as_bytes = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    alone = (
        pattern is not None
        and len(steps) == 2
        and split.items() <= steps[0].items()
        and as_bytes.items() <= steps[1].items()
        and not any(said[name] for name in ("normalizer", "post_processor", "truncation", "padding"))
        and all(token["special"] for token in said["added_tokens"])
        and tokenizer.encode_special_tokens
        and model["type"] == "BPE"
        and not model["dropout"]
    )
    return KnownWords(tokenizer, re.compile(pattern, re.ASCII)) if alone and pattern else None
