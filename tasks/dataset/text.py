"""Forms of a text: as it is kept, and as it is compared."""

import unicodedata
from collections.abc import Callable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

# RE2 classes. U+FEFF is a byte order mark that lost its place.
BLANKS = r"[\s\p{Z}\p{Cc}\x{FEFF}]+"
TRAILING = r"[\s.?!…]+$"


def normalise(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Unicode NFC; runs of blanks and control characters become one space, none at the ends. Null stays."""
    return _single_spaces(_unicode_form(texts, "NFC"))


def comparison_key(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What counts as the same text: case, compatibility forms, blanks and a last full stop do not matter."""
    lower = _single_spaces(_unicode_form(pc.utf8_lower(_unicode_form(texts, "NFKC")), "NFKC"))
    bare = pc.replace_substring_regex(lower, TRAILING, "")
    return pc.if_else(pc.equal(bare, ""), lower, bare)


def apply_where(
    texts: pa.ChunkedArray, where: pa.ChunkedArray, function: Callable[[str], str]
) -> pa.ChunkedArray:
    """Texts with a Python function applied to the few that it can change; a null in `where` is false."""
    mask = pc.fill_null(where, False)
    changed = pa.array([function(text) for text in texts.filter(mask).to_pylist()], pa.string())
    return pa.chunked_array([pc.replace_with_mask(texts.combine_chunks(), mask.combine_chunks(), changed)])


def _single_spaces(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim(pc.replace_substring_regex(texts, BLANKS, " "), " ")


def _unicode_form(texts: pa.ChunkedArray, form: Literal["NFC", "NFKC"]) -> pa.ChunkedArray:
    """Arrow 25's own utf8_normalize leaves "NFC" decomposed; ASCII needs neither."""
    other = pc.invert(pc.string_is_ascii(texts))
    return apply_where(texts, other, lambda text: unicodedata.normalize(form, text))
