"""Forms of a text: as it is kept, and as it is compared."""

import unicodedata
from collections.abc import Callable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

# RE2 classes. U+FEFF is a byte order mark that lost its place.
BLANKS = r"[\s\p{Z}\p{Cc}\x{FEFF}]+"
# Format characters (Unicode's Cf) that nobody sees in a label. Not the visible signs of Arabic and the tags of flags.
UNSEEN = r"[\x{AD}\x{61C}\x{180E}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}]"
JOINERS = "\u200c\u200d"  # Format characters too, but Persian words, Indic letters and some emoji look other without.
TRAILING = r"[\s.?!…]+$"


def normalise(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Unicode NFC; runs of blanks and control characters become one space, none at the ends. Null stays."""
    return _single_spaces(_unicode_form(texts, "NFC"))


def normalise_labels(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    """As `normalise`, without the format characters that nobody sees."""
    return normalise(pc.replace_substring_regex(labels, UNSEEN, ""))


def label_key(label: str) -> str:
    """What counts as the same label: case, blanks and joiners do not matter."""
    return "".join(label.casefold().translate(dict.fromkeys(map(ord, JOINERS))).split())


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
