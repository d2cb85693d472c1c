"""Pack a corpus of code for a causal language model: each file's quality, its text, and the token that ends it, in one row.

Only shards are written, as the files stream by: memory holds one batch. Special tokens are put there as ids: the same
characters inside a file are text.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from infra.errors import ArtifactError, DataError
from tasks.data.packing.config import PackCorpusConfig
from tasks.data.packing.tokens import TextTokenizer, open_tokenizer
from tasks.formats.code_tokens import END_OF_TEXT, QUALITIES, SPECIAL_TOKENS, quality_token
from tasks.formats.corpus import CorpusInfo, load_corpus
from tasks.formats.dataset import SPLITS, split_files
from tasks.formats.packed_corpus import (
    FILES,
    SPLIT_PARTS,
    TRAIN,
    VALIDATION,
    PackedCorpus,
    PackedPart,
    part_folder,
)
from tasks.formats.packed_tokens import Tokenized, write_packed
from tasks.formats.report_file import write_report

AT_ONCE = 256  # files that are read at a time
TEST = SPLITS[2]


class CodeFile(NamedTuple):
    """A file as it is packed."""

    text: str
    quality: str


def pack_corpus(config: PackCorpusConfig, tokenizer: Path, corpus: Path, output: Path) -> dict[str, float]:
    """Write a folder of packed tokens for each part of a corpus, and `report.json`; returns its metrics.

    Raises:
        ArtifactError: the tokenizer cannot be read or lacks a special token, or the corpus is damaged.
        DataError: a part has no file; a text that UTF-8 cannot hold.
        StoreError: the disk does not take them.
    """
    opened, info = open_tokenizer(tokenizer), load_corpus(corpus)
    opened.tokenizer.encode_special_tokens = True
    special = special_ids(opened, tokenizer)
    packer = _Packer(config, opened, special)
    parts: dict[str, PackedPart] = {}
    for name, split in parts_of(info).items():
        repository = name if name in info.held_out else None
        files = code_files(corpus, split, info.held_out, repository)
        bar = tqdm(files, desc=f"pack {name}", unit=" files", unit_scale=True, disable=None)
        parts[name] = packer.pack(bar, part_folder(output, name))
        if not parts[name].documents:
            raise DataError(
                f"{name} has no file in the corpus: expected some in each part. Hold out other repositories "
                "(--code.held-out), or a larger share of files."
            )
    packed = PackedCorpus(special=special, parts=parts)
    write_report(output, packed)
    return packed.metrics()


def parts_of(info: CorpusInfo) -> dict[str, str]:
    """The split that each part is of, by the part's name.

    A corpus whose splits are of whole repositories, without a share of single files, has no part `files`; where none is held
    out by name, its test split is one part. Raises DataError for a repository that is called as one of the other parts is.
    """
    if taken := [name for name in info.held_out if name in SPLIT_PARTS]:
        raise DataError(
            f"a repository is called {taken[0]}, as a part of the corpus is: expected another name. Rename it in the query."
        )
    parts = {TRAIN: TRAIN, VALIDATION: VALIDATION}
    if info.rows.get(TEST, 0) and (not info.held_out or info.repositories.get(TEST, 0) > len(info.held_out)):
        parts[FILES] = TEST
    return parts | dict.fromkeys(info.held_out, TEST)


def special_ids(opened: TextTokenizer, folder: Path) -> dict[str, int]:
    """The ids of the special tokens of code. Raises ArtifactError when one is missing."""
    known = opened.tokenizer.get_vocab(with_added_tokens=True)
    if missing := [token for token in SPECIAL_TOKENS if token not in known]:
        raise ArtifactError(
            f"the tokenizer in {folder} lacks {', '.join(missing)}: expected one that was trained for code here. Run "
            "train_code_tokenizer."
        )
    return {token: int(known[token]) for token in SPECIAL_TOKENS}


def code_files(
    corpus: Path, split: str, held_out: tuple[str, ...], repository: str | None
) -> Iterator[CodeFile]:
    """Files of a split in their order: of one repository alone, or of all that are not held out."""
    for path in split_files(corpus, split):
        for batch in pq.ParquetFile(path).iter_batches(AT_ONCE, columns=["text", "quality", "repo_name"]):
            texts, qualities, names = (batch.column(name).to_pylist() for name in batch.schema.names)
            for text, quality, name in zip(texts, qualities, names, strict=True):
                if name == repository if repository else name not in held_out:
                    yield CodeFile(text, quality)


class _Packer:
    """Packs parts one after another."""

    def __init__(self, config: PackCorpusConfig, tokenizer: TextTokenizer, special: dict[str, int]) -> None:
        self.config, self.tokenizer = config, tokenizer
        self.end = special[END_OF_TEXT]
        self.qualities: dict[str, int] = {name: special[quality_token(name)] for name in QUALITIES}

    def pack(self, files: Iterable[CodeFile], folder: Path) -> PackedPart:
        """Write one part."""
        before: list[int] = []  # the qualities of texts whose tokens have not come yet
        read = 0

        def texts() -> Iterator[str]:
            nonlocal read
            for text, quality in files:
                before.append(self.qualities[quality])
                read += len(text.encode(errors="surrogatepass"))
                yield text

        def batches() -> Iterator[Tokenized]:
            for batch in self.tokenizer.batches(texts(), self.config.batch_characters, words=False):
                count = len(batch.lengths)
                yield self._framed(batch, before[:count])
                del before[:count]

        info = write_packed(folder, batches(), self.tokenizer.vocabulary)
        return PackedPart(documents=info.documents, tokens=info.tokens, bytes=read)

    def _framed(self, batch: Tokenized, qualities: list[int]) -> Tokenized:
        """Each document with the token of its quality before it, and the one that ends it behind."""
        first = batch.lengths.cumsum() - batch.lengths
        places = [first + batch.lengths]
        ids = [np.full(len(first), self.end)]
        if self.config.quality:
            places, ids = [first, *places], [np.array(qualities), *ids]
        # Document by document: of an empty one both stand at the same place, and the first is put there first.
        framed = np.insert(batch.ids, np.stack(places, axis=1).ravel(), np.stack(ids, axis=1).ravel())
        return Tokenized(framed, None, batch.lengths + len(places))
