"""A curated data set, of rows with labels or of code, as it goes to the Hub: parquet shards, what is in them, and a card.

`curation.json` stays at home: its examples are rows that were dropped, and not everyone's to read.
"""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from tasks.data.publishing.card import CardFacts, read_origin, write_card
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.formats.corpus import CORPUS_FILE, is_corpus, load_corpus
from tasks.formats.curation_report import read_curation
from tasks.formats.dataset import DATASET_FILE, load_info, split_files


def assemble(config: PublishDatasetConfig, dataset: Path, extract: Path, output: Path) -> Path:
    """Lay the data set out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when `dataset` is no curated data set or `extract` no extract.
    """
    code = load_corpus(dataset) if is_corpus(dataset) else None
    info = code or load_info(dataset)
    shards = {split: split_files(dataset, split) for split in info.rows}
    files = [path for paths in shards.values() for path in paths]
    # As `num_bytes` of the Hub: in memory.
    split_bytes = (
        code.bytes
        if code
        else {split: sum(pq.read_table(path).nbytes for path in paths) for split, paths in shards.items()}
    )
    download_bytes = sum(path.stat().st_size for path in files)
    facts = CardFacts(config, info, read_curation(dataset), read_origin(extract), split_bytes, download_bytes)
    (output / "data").mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, output / "data" / path.name)
    described = CORPUS_FILE if code else DATASET_FILE
    shutil.copyfile(dataset / described, output / described)
    write_card(facts, output / "README.md")
    return output
