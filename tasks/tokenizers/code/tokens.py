"""Tokens of a byte-level vocabulary as bytes and as text, and an example on its way to them."""

from collections.abc import Mapping

import numpy as np
from tokenizers import Tokenizer

from tasks.formats.tokenizer_report import Example, ExampleToken

SHOWN = 12
MOST_SHOWN = 60  # characters of a long token


def byte_letters() -> Mapping[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for (`bytes_to_unicode` of GPT-2's encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


LETTERS = byte_letters()


def token_bytes(token: str) -> bytes:
    """The bytes of a token; of one that has other letters too, such as a special one, its text's."""
    found = [LETTERS.get(letter) for letter in token]
    return token.encode() if None in found else bytes(byte for byte in found if byte is not None)


def byte_lengths(tokenizer: Tokenizer) -> np.ndarray:
    """Bytes of each token by its id, int64 [highest id + 1]."""
    vocabulary = tokenizer.get_vocab()
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, number in vocabulary.items():
        lengths[number] = len(token_bytes(token))
    return lengths


def shown_tokens(tokenizer: Tokenizer) -> dict[str, tuple[str, ...]]:
    """The first, the last and the longest tokens as Python would write them; special ones and single bytes left out."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    ranked = sorted(
        (number, token) for token, number in tokenizer.get_vocab().items() if token not in special
    )
    texts = [raw for _, token in ranked if len(raw := token_bytes(token)) > 1]
    longest = sorted(texts, key=len, reverse=True)
    return {
        name: tuple(map(_written, some[:SHOWN]))
        for name, some in {"first": texts, "last": texts[::-1], "longest": longest}.items()
    }


def walk(tokenizer: Tokenizer, text: str) -> Example:
    """The text through normaliser, pre-tokens and tokens."""
    normalized = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
    cut = [(normalized, (0, len(normalized)))]
    if tokenizer.pre_tokenizer is not None:
        cut = tokenizer.pre_tokenizer.pre_tokenize_str(normalized)
    found = tokenizer.encode(text, add_special_tokens=False)
    return Example(
        normalized=normalized,
        words=tuple(normalized[start:end] for _, (start, end) in cut),
        tokens=tuple(
            ExampleToken(id=number, token=token, start=start, end=end, bytes=token_bytes(token).hex(" "))
            for number, token, (start, end) in zip(found.ids, found.tokens, found.offsets, strict=True)
        ),
    )


def _written(raw: bytes) -> str:
    written = repr(raw.decode(errors="replace"))
    return written if len(written) <= MOST_SHOWN else f"{written[:MOST_SHOWN]}… ({len(raw)} bytes)"
