"""Texts to token ids and word starts, many at once: by the fast tokenizer of a `tokenizer.json`, and nothing cut off."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from infra.errors import ArtifactError, DataError
from tasks.data.packing.known_words import KnownWords, in_pieces, words_of
from tasks.formats.foreign_config import read_object
from tasks.formats.model_files import TOKENIZER_FILES
from tasks.formats.packed_tokens import Tokenized, VocabularyInfo
from tasks.formats.rust_panics import panics_caught, tokenizing

MOST_TEXTS = 10_000  # an Encoding without tokens takes memory too
TOKENIZER_FILE, *SETTINGS_FILES = TOKENIZER_FILES


@dataclass(frozen=True)
class TextTokenizer:
    """An opened tokenizer, and what there is to know of it. `special` bool [vocabulary]."""

    tokenizer: Tokenizer
    vocabulary: VocabularyInfo
    special: np.ndarray
    folder: Path

    def batches(self, texts: Iterable[str], characters: int, words: bool) -> Iterator[Tokenized]:
        """Tokens of texts in their order; of some `characters` at a time, or of one text that is longer.

        With `words` it is told which tokens start a word; without, tokenizing is a tenth faster. Raises ArtifactError when
        the tokenizer fails at a text, DataError for a text that UTF-8 cannot hold.
        """
        done, known = 0, None if words else words_of(self.tokenizer)
        for batch in _by_size(texts, characters):
            # The encoder that is called fast finds no words.
            encode = self.tokenizer.encode_batch if words else self.tokenizer.encode_batch_fast
            try:
                with tokenizing(self.folder):
                    told = _by_words(known, encode, batch) if known else _flat(encode(batch), words)
            except (
                TypeError
            ) as error:  # what tokenizers says of half a character, and of what is no text at all
                raise _half_a_character(batch, done) or error from None
            done += len(batch)
            yield self._emptied(told)

    def _emptied(self, told: Tokenized) -> Tokenized:
        """Documents that have special tokens alone are emptied: there is nothing to learn from them."""
        ids, starts, lengths = told
        documents = np.repeat(np.arange(len(lengths)), lengths)
        full = np.bincount(documents[~self.special[ids]], minlength=len(lengths)) > 0
        if not full.all():
            kept = full[documents]
            ids, starts = ids[kept], None if starts is None else starts[kept]
            lengths = np.where(full, lengths, 0)
        return Tokenized(ids, starts, lengths)


def _flat(encodings: Sequence[Encoding], words: bool) -> Tokenized:
    """One array each."""
    lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
    ids = np.fromiter(chain.from_iterable(e.ids for e in encodings), np.int64, int(lengths.sum()))
    return Tokenized(ids, _word_starts(encodings, lengths) if words else None, lengths)


def _by_words(
    known: KnownWords, encode: Callable[[list[str]], Sequence[Encoding]], batch: Sequence[str]
) -> Tokenized:
    """The same: what is in ASCII by the words that are known, and the rest by the tokenizer."""
    texts = [in_pieces(text) for text in batch]
    pieces = list(chain.from_iterable(texts))
    plain = np.fromiter(map(str.isascii, pieces), bool, len(pieces))
    ids, lengths = known.tokens([piece for piece in pieces if piece.isascii()])
    others = _flat(encode([piece for piece in pieces if not piece.isascii()]), words=False)
    of_pieces = np.zeros(len(pieces), dtype=np.int64)
    of_pieces[plain], of_pieces[~plain] = lengths, others.lengths
    by_words = np.repeat(plain, of_pieces)
    all_ids = np.zeros(len(by_words), dtype=np.int64)
    all_ids[by_words], all_ids[~by_words] = ids, others.ids
    ends = np.cumsum([0, *of_pieces])[np.cumsum([0, *map(len, texts)])]
    return Tokenized(all_ids, None, np.diff(ends))


def open_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer of a model's folder, without padding and truncation. Raises ArtifactError for none that can be read."""
    path = folder / TOKENIZER_FILE
    try:
        content = path.read_bytes()
        with panics_caught():
            tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # tokenizers raises a bare Exception for a file that it cannot parse
        raise ArtifactError(
            f"{folder} has no fast tokenizer that can be read ({type(error).__name__}: {error}): expected {TOKENIZER_FILE}. "
            "Save the model's tokenizer with transformers (AutoTokenizer, save_pretrained), or take another model."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = tokenizer.get_vocab(with_added_tokens=True)
    if not ids:
        raise ArtifactError(f"{path} has no tokens: expected a vocabulary. Take another model's tokenizer.")
    added = tokenizer.get_added_tokens_decoder()
    vocabulary = VocabularyInfo(
        size=max(ids.values()) + 1,
        special=tuple(sorted(number for number, token in added.items() if token.special)),
        mask=_role(folder, ids, "mask_token"),
        pad=_role(folder, ids, "pad_token"),
        digest=hashlib.sha256(content).hexdigest(),
    )
    special = np.zeros(vocabulary.size, dtype=bool)
    special[list(vocabulary.special)] = True
    return TextTokenizer(tokenizer, vocabulary, special, folder)


def _role(folder: Path, ids: dict[str, int], role: str) -> int | None:
    """The id of the token that the files beside tokenizer.json give a role, which that one does not say."""
    for path in (folder / name for name in SETTINGS_FILES):
        token = read_object(path).get(role) if path.is_file() else None
        content = token.get("content") if isinstance(token, dict) else token
        if isinstance(content, str) and content in ids:
            return ids[content]
    return None


def _word_starts(encodings: Sequence[Encoding], lengths: np.ndarray) -> np.ndarray:
    """Which tokens have another word id than the one before in the same document, bool [tokens].

    A special token that the tokenizer added has None, which becomes NaN: it is like no other, so it always starts.
    """
    words = np.array(list(chain.from_iterable(e.word_ids for e in encodings)), dtype=np.float64)
    starts = np.ones(len(words), dtype=bool)
    starts[1:] = words[1:] != words[:-1]
    starts[(lengths.cumsum() - lengths)[lengths > 0]] = True
    return starts


def _by_size(texts: Iterable[str], characters: int) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= characters or len(batch) == MOST_TEXTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _half_a_character(batch: Sequence[str], before: int) -> DataError | None:
    """What to say of the first text that UTF-8 cannot hold; None when there is none."""
    for number, text in enumerate(batch, start=before + 1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return DataError(
                f"text {number:,} has half of a character ({error}): expected text that UTF-8 can hold. Correct the row."
            )
    return None
