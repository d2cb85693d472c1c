"""The files of a corpus while it is made: small columns in memory, texts and signatures on the disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from tasks.data.curation.code.decontaminate import Overlap
from tasks.data.curation.code.judge import Finding, Judged
from tasks.data.curation.code.judging import Batch
from tasks.data.curation.code.quality import has_test, quality_of
from tasks.data.curation.code.scratch import Scratch
from tasks.data.curation.curation_log import shown
from tasks.data.curation.redact import redact, redact_texts
from tasks.formats.code_rows import PLACE_COLUMNS
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.curation_report import Example

NO_DIGEST = bytes(16)
SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        **dict.fromkeys(PLACE_COLUMNS, pa.string()),
        "refused": pa.string(),  # the rule that refused it; "": none
        "changed": pa.bool_(),  # by redaction
        "digest": pa.binary(16),
        "words": pa.binary(16),
        "quality": pa.int8(),  # place in QUALITIES
        "language": pa.string(),
        "secrets": pa.int32(),
        "addresses": pa.int32(),
    }
)
ENCODED = ("repo_name", "license", "refused", "language")  # few values, each of many files


@dataclass
class Files:
    """Columns of `SCHEMA`, and what lies on the disk under the same numbers. About 120 bytes a file are in memory."""

    columns: pa.Table
    texts: Scratch
    signatures: Scratch
    overlaps: dict[int, Overlap]

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def values(self, name: str) -> np.ndarray:
        """A column of numbers, [n]."""
        return self.columns[name].to_numpy()

    def codes(self, name: str) -> np.ndarray:
        """Places of an encoded column's values among the distinct ones, int32 [n]."""
        return self.columns[name].chunk(0).indices.to_numpy()

    def is_value(self, name: str, value: str) -> np.ndarray:
        """Where an encoded column has a value, bool [n]."""
        return np.equal(self.codes(name), self.columns[name].chunk(0).dictionary.index(value).as_py())

    def redact_places(self, name: str) -> np.ndarray:
        """Replace secrets and addresses in where files are from; bool [n]: in which."""
        before = self.columns[name].cast(pa.string())
        clean = redact_texts(before)
        changed = pc.not_equal(before, clean).to_numpy()
        if changed.any():
            made = clean.dictionary_encode().combine_chunks() if name in ENCODED else clean
            self.columns = self.columns.set_column(self.columns.column_names.index(name), name, made)
        return changed

    def sizes(self) -> np.ndarray:
        """Bytes of the texts, int64 [n]."""
        return self.texts.sizes()

    def place(self, number: int) -> str:
        """Where a file is from, as it may be told."""
        return redact(f"{self.columns['repo_name'][number]}/{self.columns['path'][number]}")

    def example(self, number: int, note: str) -> Example:
        """A file as the report shows it."""
        text = shown(self.texts.text(number))
        return Example(
            row=self.columns["row"][number].as_py(), text=text, label=self.place(number), note=note
        )


def gather(
    batches: Iterator[Batch], total: int, tests: np.ndarray, texts: Scratch, signatures: Scratch
) -> Files:
    """Files as they were judged, in order; their texts and signatures go to the disk. `tests` as of `names_with_tests`."""
    parts: list[pa.RecordBatch] = []
    overlaps: dict[int, Overlap] = {}
    with tqdm(total=total, desc="judge", unit=" files", disable=None, leave=False) as bar:
        for batch, judged in batches:
            for number, one in enumerate(judged, start=len(texts)):
                if one.finding is not None and one.finding.overlap is not None:
                    overlaps[number] = one.finding.overlap
            texts.extend([one.text.encode("utf-8") for one in judged])
            signatures.extend([one.finding.signature if one.finding else b"" for one in judged])
            parts.append(_columns(batch, judged, tests))
            bar.update(batch.num_rows)
    columns = pa.Table.from_batches(parts).combine_chunks()
    for name in ENCODED:
        columns = columns.set_column(
            columns.column_names.index(name), name, columns[name].dictionary_encode().combine_chunks()
        )
    return Files(columns, texts, signatures, overlaps)


def _columns(batch: pa.RecordBatch, judged: Sequence[Judged], tests: np.ndarray) -> pa.RecordBatch:
    places = zip(*(batch[name].to_pylist() for name in (*PLACE_COLUMNS, "copies")), strict=True)
    found = [one.finding for one in judged]
    return pa.RecordBatch.from_pydict(
        {
            "row": batch["row"],
            **{name: batch[name] for name in PLACE_COLUMNS},
            "refused": [one.refused for one in judged],
            "changed": [one.changed for one in judged],
            "digest": [one.digest if one else NO_DIGEST for one in found],
            "words": [one.words if one else NO_DIGEST for one in found],
            "quality": [
                _quality(one, tests, *place) if one else 0 for one, place in zip(found, places, strict=True)
            ],
            "language": [one.language if one else "" for one in found],
            "secrets": [one.secrets if one else 0 for one in found],
            "addresses": [one.addresses if one else 0 for one in found],
        },
        SCHEMA,
    )


def _quality(one: Finding, tests: np.ndarray, repository: str, path: str, license: str, copies: int) -> int:
    tested = has_test(tests, repository, path)
    return QUALITIES.index(quality_of(one.traits, path, license, copies, tested))
