"""Texts by split, as streams that can be begun again: those of a curated data set, and those of tables as they lie.

No text is kept. Tables need no label, and no document is in two splits: where a split that is measured on is not given, it is
made of train by the digest of each text, so that equal texts fall together; where it is given, equal texts of train are
left out. What counts as equal is a text without its case and blanks.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from infra.errors import DataError
from tasks.data.extraction.columns import offered
from tasks.data.extraction.readers import open_table
from tasks.data.extraction.source import SPLIT_NAMES, SourceFile
from tasks.data.packing.config import PackConfig
from tasks.formats.corpus import is_corpus, load_corpus
from tasks.formats.dataset import SPLITS, load_info
from tasks.formats.texts import stream_texts

TRAIN, VALIDATION, TEST = SPLITS
MEASURED = (TEST, VALIDATION)  # in this order: what both have stays in test


class SplitTexts(Protocol):
    """Where texts come from. `left_out` counts texts of each split by the reason; complete after its stream was read."""

    left_out: dict[str, Counter[str]]

    def splits(self) -> tuple[str, ...]:
        """The splits that there are, train first."""

    def texts(self, split: str) -> Iterator[str]:
        """The texts of a split, in their order, from the first."""


class CuratedTexts:
    """A curated data set, or a curated corpus: its own splits, which curation keeps apart."""

    def __init__(self, folder: Path) -> None:
        """Raises ArtifactError when the folder is neither."""
        self.folder, self.left_out = folder, {split: Counter[str]() for split in SPLITS}
        self._rows = (load_corpus(folder) if is_corpus(folder) else load_info(folder)).rows

    def splits(self) -> tuple[str, ...]:
        """See `SplitTexts`."""
        return tuple(split for split in SPLITS if self._rows.get(split))

    def texts(self, split: str) -> Iterator[str]:
        """See `SplitTexts`."""
        return chain.from_iterable(stream_texts(self.folder, split))


class TableTexts:
    """Tables with a column of texts. In memory are the digests of those documents that are measured on, and no text."""

    def __init__(self, files: tuple[SourceFile, ...], config: PackConfig) -> None:
        """Raises DataError for a file that cannot be read or lacks a column."""
        self.config, self.left_out = config, {split: Counter[str]() for split in SPLITS}
        self._tables = [(file, open_table(file)) for file in files]
        named = {"text": config.text_column, "split": config.split_column}
        wanted = {column: purpose for purpose, column in named.items() if column}
        for file, table in self._tables:
            if missing := [column for column in wanted if column not in table.columns]:
                option = f"{wanted[missing[0]]}-column"
                raise DataError(
                    f"{file.name} has no column {missing[0]!r}: {offered(missing[0], table.columns)}. Name another one: "
                    f"--pack.{option} COLUMN; of general text --general.{option} COLUMN."
                )
        self._given: dict[str, set[int]] = {}
        for split, text in self._rows(MEASURED):
            if split in MEASURED:
                digests = self._given.setdefault(split, set())
                if text is not None:
                    digests.add(self._digest(text))

    def splits(self) -> tuple[str, ...]:
        """See `SplitTexts`."""
        shares = {VALIDATION: self.config.validation_share, TEST: self.config.test_share}
        return (TRAIN, *(split for split in (VALIDATION, TEST) if split in self._given or shares[split]))

    def texts(self, split: str) -> Iterator[str]:
        """See `SplitTexts`. Raises DataError for a text or a split that is none."""
        counts = self.left_out[split]
        counts.clear()
        before = [digests for name, digests in self._given.items() if self._goes_before(name, split)]
        given = (split,) if split in self._given else (TRAIN,)
        for found, text in self._rows(given):
            if found not in given:
                continue
            if text is None:
                counts["missing"] += found == split
                continue
            digest = self._digest(text)
            if found == TRAIN and self._made(digest) != split:
                continue
            if any(digest in measured for measured in before):
                counts["held_out"] += 1
            else:
                yield text

    def _goes_before(self, given: str, split: str) -> bool:
        """Whether a text that both have stays in `given`, a split that the tables have, and not in `split`."""
        return given != split and (split not in self._given or MEASURED.index(given) < MEASURED.index(split))

    def _made(self, digest: int) -> str:
        """The split of a document of train, by where its digest falls in [0, 1)."""
        place = digest / 2**64
        for split, share in ((TEST, self.config.test_share), (VALIDATION, self.config.validation_share)):
            if split in self._given:
                continue
            if place < share:
                return split
            place -= share
        return TRAIN

    def _digest(self, text: str) -> int:
        key = "".join(text.casefold().split()).encode(errors="surrogatepass")
        made = hashlib.blake2b(key, digest_size=8, salt=self.config.seed.to_bytes(8, "little"))
        return int.from_bytes(made.digest(), "little")

    def _rows(self, wanted: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
        """Split and text of each row, but for files that are not of a `wanted` split."""
        for file, table in self._tables:
            of_file = file.split or TRAIN
            if self.config.split_column is None and of_file not in wanted:
                continue
            for batch in table.batches():
                texts = _strings(batch, self.config.text_column, file.name)
                splits = self._splits(batch, file.name) or [of_file] * len(texts)
                yield from zip(splits, texts, strict=True)

    def _splits(self, batch: pa.RecordBatch, name: str) -> list[str] | None:
        if (column := self.config.split_column) is None:
            return None
        found = _strings(batch, column, name)
        known = {value: SPLIT_NAMES.get(str(value).strip().lower()) for value in set(found)}
        if unknown := [value for value, split in known.items() if split is None]:
            raise DataError(
                f"{name}: column {column!r} has {unknown[0]!r}: expected train, validation or test in every row. Correct it."
            )
        return [split for value in found if (split := known[value])]


def _strings(batch: pa.RecordBatch, column: str, name: str) -> list[str | None]:
    values = batch.column(column)
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise DataError(
            f"{name}: column {column!r} holds {kind}: expected text. Name another column (text_column), or convert it."
        )
    return values.to_pylist()
