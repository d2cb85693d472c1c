"""What a tokenizer does to texts, added up batch by batch."""

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from tasks.formats.tokenizer_report import CutText
from tasks.tokenizers.code.tokens import byte_lengths
from tasks.tokenizers.measure import continued_words, word_spans

BATCH = 100  # texts
LONGEST = 32  # bytes of a token above which lengths are not told apart


class Cutting:
    """A tokenizer over groups of texts: `cut` gives a group's figures, the properties are of all groups so far."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.not_given_back = 0  # texts that are not what their tokens decode to
        self._token_bytes = byte_lengths(tokenizer)
        self._by_length = np.zeros(LONGEST + 1)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Share of all bytes that lie in tokens of 1, 2, ... bytes; the last: of LONGEST or more."""
        return tuple((self._by_length[1:] / self._by_length.sum()).tolist())

    def cut(self, texts: Sequence[str]) -> CutText:
        """The figures of a group, which has a word at least."""
        used = np.zeros(len(self._token_bytes), dtype=np.int64)
        words = continued = 0
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            for text, found in zip(
                some, self.tokenizer.encode_batch(some, add_special_tokens=False), strict=True
            ):
                spans = word_spans(text)
                words, continued = words + len(spans), continued + continued_words(found, spans)
                used += np.bincount(found.ids, minlength=len(used))
                self.not_given_back += self.tokenizer.decode(found.ids, skip_special_tokens=False) != text
        lengths = np.bincount(np.minimum(self._token_bytes, LONGEST), used * self._token_bytes, LONGEST + 1)
        self._by_length += lengths
        tokens, size = int(used.sum()), sum(len(text.encode()) for text in texts)
        return CutText(
            tokens=tokens,
            tokens_per_byte=tokens / size,
            tokens_per_character=tokens / sum(map(len, texts)),
            fertility=tokens / words,
            continued_words=continued / words,
            coverage=float(lengths[2:].sum() / lengths.sum()),
            vocabulary_used=float((used > 0).sum() / self.tokenizer.get_vocab_size()),
        )
