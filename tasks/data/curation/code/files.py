"""The files of a corpus while it is made: small columns in memory, texts, paths and signatures on the disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tasks.data.curation.code.decontaminate import Overlap
from tasks.data.curation.code.judge import Finding, Judged
from tasks.data.curation.code.judging import Batch
from tasks.data.curation.code.quality import has_test, is_test, quality_of
from tasks.data.curation.code.scratch import Scratch
from tasks.data.curation.curation_log import shown
from tasks.data.curation.redact import redact, redact_texts
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.curation_report import Example

COLUMNS = np.dtype(
    [
        ("row", np.int64),  # number in the source
        ("digest", "S16"),  # of the content; equal bytes are equal, zeros at the end too
        ("words", "S16"),  # of the set of words
        ("secrets", np.int32),  # replaced
        ("addresses", np.int32),
        ("quality", np.int8),  # place in QUALITIES
        ("changed", np.bool_),  # by redaction
        ("path", np.bool_),  # changed by redaction
        ("test", np.bool_),
    ]
)
NAMES = (
    "repo_name",
    "license",
    "refused",
    "language",
)  # few of them, each of many files; refused by: a rule or ""


@dataclass
class Names:
    """Names of files, kept once each; `codes` int32 [n] are places in `values`."""

    codes: np.ndarray
    places: dict[str, int] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)

    def put(self, start: int, names: Sequence[str]) -> None:
        """The names of files from `start` on."""
        for name in names:
            if name not in self.places:
                self.places[name] = len(self.values)
                self.values.append(name)
        self.codes[start : start + len(names)] = [self.places[name] for name in names]

    def are(self, name: str) -> np.ndarray:
        """Which files have this name, bool [n]."""
        return np.equal(self.codes, self.places.get(name, -1))

    def of(self, number: int) -> str:
        """A file's name."""
        return self.values[self.codes[number]]

    def redact(self) -> np.ndarray:
        """Replace secrets and addresses in the names; bool [n]: in which."""
        clean = [redact(value) for value in self.values]
        changed = np.array([new != old for new, old in zip(clean, self.values, strict=True)], dtype=bool)
        self.values = clean
        return np.asarray(changed[self.codes])


class Files:
    """Columns as of `COLUMNS` and `NAMES`, and what lies on the disk under the same numbers. 92 bytes a file in memory."""

    def __init__(self, total: int, texts: Scratch, paths: Scratch, signatures: Scratch) -> None:
        self.columns = np.zeros(total, COLUMNS)
        self.names = {name: Names(np.zeros(total, np.int32)) for name in NAMES}
        self.texts, self.paths, self.signatures = texts, paths, signatures
        self.overlaps: dict[int, Overlap] = {}  # of the few that share words with a problem

    def __len__(self) -> int:
        return len(self.columns)

    def place(self, number: int) -> str:
        """Where a file is from, as it may be told."""
        return redact(f"{self.names['repo_name'].of(number)}/{self.paths.text(number)}")

    def example(self, number: int, note: str) -> Example:
        """A file as the report shows it."""
        text, row = shown(self.texts.text(number)), int(self.columns["row"][number])
        return Example(row=row, text=text, label=self.place(number), note=note)

    def add(self, batch: pa.RecordBatch, judged: Sequence[Judged], tests: np.ndarray, clean: bool) -> None:
        """Put the next files in. `tests` as of `names_with_tests`; `clean`: their paths are redacted."""
        start, found = len(self.texts), [one.finding for one in judged]
        paths = batch["path"].to_pylist()
        told = redact_texts(pa.chunked_array([batch["path"]])).to_pylist() if clean else paths
        self.texts.extend([one.text.encode("utf-8") for one in judged])
        self.paths.extend([path.encode("utf-8") for path in told])
        self.signatures.extend([one.signature if one else b"" for one in found])
        for name in ("repo_name", "license"):
            self.names[name].put(start, batch[name].to_pylist())
        self.names["refused"].put(start, [one.refused for one in judged])
        self.names["language"].put(start, [one.language if one else "" for one in found])
        self.overlaps |= {
            number: one.overlap for number, one in enumerate(found, start) if one and one.overlap is not None
        }
        part = self.columns[start : start + len(judged)]
        part["row"] = batch["row"].to_numpy()
        part["changed"] = [one.changed for one in judged]
        part["path"] = [new != old for new, old in zip(told, paths, strict=True)]
        part["test"] = [is_test(path) for path in paths]
        places = zip(
            *(batch[name].to_pylist() for name in ("repo_name", "path", "license", "copies")), strict=True
        )
        for i, (one, place) in enumerate(zip(found, places, strict=True)):
            if one is not None:
                part["digest"][i], part["words"][i] = one.digest, one.words
                part["secrets"][i], part["addresses"][i] = one.secrets, one.addresses
                part["quality"][i] = _quality(one, tests, *place)


def gather(files: Files, batches: Iterator[Batch], tests: np.ndarray, clean: bool) -> None:
    """Put in all files as they were judged, in order."""
    with tqdm(total=len(files), desc="judge", unit=" files", disable=None, leave=False) as bar:
        for batch, judged in batches:
            files.add(batch, judged, tests, clean)
            bar.update(batch.num_rows)


def _quality(one: Finding, tests: np.ndarray, repository: str, path: str, license: str, copies: int) -> int:
    tested = has_test(tests, repository, path)
    return QUALITIES.index(quality_of(one.traits, path, license, copies, tested))
