"""Documents over few tokens: a first one that is context alone, words, and the token that ends them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tasks.formats.code_tokens import SPECIAL_TOKENS
from tasks.formats.packed_corpus import PackedCorpus, PackedPart, part_folder
from tasks.formats.packed_tokens import Tokenized, VocabularyInfo, write_packed
from tasks.formats.report_file import write_report

END, QUALITIES = 0, (1, 2, 3)
VOCABULARY = 9
PREDICTED = np.array([token not in QUALITIES for token in range(VOCABULARY)])
WORDS = range(4, VOCABULARY)

document = st.tuples(st.sampled_from(QUALITIES), st.lists(st.sampled_from(WORDS), max_size=14)).map(
    lambda drawn: [drawn[0], *drawn[1], END]
)
documents = st.lists(document, min_size=1, max_size=8)


def flat(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens int64 and offsets int64 of some documents."""
    tokens = np.array([token for row in rows for token in row], dtype=np.int64)
    return tokens, np.cumsum([0, *map(len, rows)], dtype=np.int64)


def write_corpus(
    folder: Path,
    parts: dict[str, list[list[int]]],
    vocabulary: int = VOCABULARY,
    bytes_a_token: int = 3,
) -> Path:
    """A packed corpus whose tokenizer nobody asks for."""
    info = VocabularyInfo(size=vocabulary, special=tuple(range(4)), mask=None, pad=None, digest="0" * 64)
    found: dict[str, PackedPart] = {}
    for name, rows in parts.items():
        tokens, offsets = flat(rows)
        write_packed(part_folder(folder, name), [Tokenized(tokens, None, np.diff(offsets))], info)
        found[name] = PackedPart(
            documents=len(rows), tokens=len(tokens), bytes=bytes_a_token * (len(tokens) - 2 * len(rows))
        )
    special = {token: place for place, token in enumerate(SPECIAL_TOKENS)}
    write_report(folder, PackedCorpus(special=special, parts=found))
    return folder
