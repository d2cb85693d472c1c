"""What a tokenizer does to held-out text, before and after: what a smaller vocabulary costs.

A word is the same for every tokenizer (a run of letters and digits, or one other character), so that figures
of vocabularies that cut words differently can be compared (fertility, continued words: Rust et al. 2021,
section 3).
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from tokenizers import Encoding, Tokenizer

from infra.errors import DataError
from tasks.formats.value import Value
from tasks.tokenizers.config import TokenizerConfig

WORD = re.compile(r"\w+|[^\w\s]")
SPLIT = "validation"


class VocabularyMeasurement(Value):
    """One tokenizer on held-out text, special tokens around the text left out."""

    vocabulary_size: int = Field(description="tokens, special tokens included")
    unknown_rate: float = Field(description="share of tokens that are the unknown token")
    fertility: float = Field(description="tokens per word; 1 is the least")
    continued_words: float = Field(description="share of words cut into more than one token")
    tokens_per_character: float = Field(description="tokens per character of text, blanks included")
    vocabulary_used: float = Field(description="share of the vocabulary that the text uses")


class TokenizerMeasurements(Value):
    """`measurements.json` beside a tokenizer: the base model's and the student's on the same texts."""

    mode: Literal["trim", "keep", "train"]
    split: str = Field(
        description="split of the data set that was measured; the tokens were chosen on `train`"
    )
    texts: int = Field(description="texts measured: the split, or its first 20,000 rows")
    words: int
    asked_size: int | None = Field(description="vocabulary_size as asked; null for keep")
    before: VocabularyMeasurement = Field(description="the base model's tokenizer")
    after: VocabularyMeasurement = Field(description="the student's tokenizer")
    coverage: float | None = Field(
        description="share of the base tokenizer's token occurrences that are kept; null for train"
    )
    unchanged_texts: float | None = Field(
        description="share of texts cut as the base tokenizer cuts them; null for train"
    )

    def metrics(self) -> dict[str, float]:
        """The figures as flat names, `..._before` for the base tokenizer's."""
        flat = {f"{name}_before": float(value) for name, value in self.before.model_dump().items()}
        flat |= {name: float(value) for name, value in self.after.model_dump().items()}
        shares = {"coverage": self.coverage, "unchanged_texts": self.unchanged_texts}
        return flat | {name: value for name, value in shares.items() if value is not None}


def compare_tokenizers(
    before: Tokenizer,
    after: Tokenizer,
    texts: Sequence[str],
    *,
    asked: TokenizerConfig,
    kept_ids: np.ndarray | None,
) -> TokenizerMeasurements:
    """Measure both tokenizers on the same held-out texts.

    `kept_ids` is int64 [new vocabulary] (new id to base id), None for a new tokenizer. Raises DataError when
    the texts have no words.
    """
    words = sum(1 for text in texts for _ in WORD.finditer(text))
    if not words:
        raise DataError(
            f"the {SPLIT} split has no words in {len(texts)} texts: expected some. Look at the rows."
        )
    coverage, unchanged = (None, None) if kept_ids is None else _shares_kept(before, after, texts, kept_ids)
    return TokenizerMeasurements(
        mode=asked.mode,
        split=SPLIT,
        texts=len(texts),
        words=words,
        asked_size=None if asked.mode == "keep" else asked.vocabulary_size,
        before=measure_tokenizer(before, texts),
        after=measure_tokenizer(after, texts),
        coverage=coverage,
        unchanged_texts=unchanged,
    )


def measure_tokenizer(tokenizer: Tokenizer, texts: Sequence[str]) -> VocabularyMeasurement:
    """One tokenizer's figures on texts that have at least one word."""
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    ids = np.concatenate([np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings])
    spans = [word_spans(text) for text in texts]
    words = sum(map(len, spans))
    return VocabularyMeasurement(
        vocabulary_size=tokenizer.get_vocab_size(),
        unknown_rate=float(np.mean(ids == _unknown_id(tokenizer))) if len(ids) else 0.0,
        fertility=len(ids) / words,
        continued_words=sum(map(continued_words, encodings, spans)) / words,
        tokens_per_character=len(ids) / sum(map(len, texts)),
        vocabulary_used=len(np.unique(ids)) / tokenizer.get_vocab_size(),
    )


def word_spans(text: str) -> np.ndarray:
    """Where words begin and end, int64 [words, 2]."""
    return np.array([word.span() for word in WORD.finditer(text)], dtype=np.int64).reshape(-1, 2)


def continued_words(encoding: Encoding, spans: np.ndarray) -> int:
    """Words of a text, `spans` int64 [words, 2], that hold the last character of more than one token."""
    if not len(spans) or not len(encoding.ids):
        return 0
    last = np.array([end - 1 for _, end in encoding.offsets], dtype=np.int64)
    word = np.searchsorted(spans[:, 0], last, side="right") - 1
    inside = word[(word >= 0) & (last < spans[word, 1])]
    return int((np.bincount(inside) > 1).sum())


def _shares_kept(
    before: Tokenizer, after: Tokenizer, texts: Sequence[str], kept_ids: np.ndarray
) -> tuple[float, float]:
    """Share of base token occurrences that are kept, and of texts that are cut as before."""
    kept = tokens = unchanged = 0
    pairs = (tokenizer.encode_batch_fast(texts, add_special_tokens=False) for tokenizer in (before, after))
    for old, new in zip(*pairs, strict=True):
        old_ids, new_ids = np.asarray(old.ids, dtype=np.int64), np.asarray(new.ids, dtype=np.int64)
        tokens, kept = tokens + len(old_ids), kept + int(np.isin(old_ids, kept_ids).sum())
        unchanged += int(np.array_equal(old_ids, kept_ids[new_ids]))
    return kept / max(tokens, 1), unchanged / len(texts)


def _unknown_id(tokenizer: Tokenizer) -> int:
    """Id of the unknown token; -1, which no token has, where nothing can be unknown (byte-level BPE)."""
    token = getattr(tokenizer.model, "unk_token", None)
    found = None if token is None else tokenizer.token_to_id(token)
    return -1 if found is None else found
