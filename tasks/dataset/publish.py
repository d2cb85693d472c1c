"""A curated data set as it goes to the Hub: parquet shards, `dataset.json` and a card made from the records.

`curation.json` stays at home: its examples are rows that were dropped, and not everyone's to read.
"""

import shutil
from pathlib import Path

from tasks.dataset.card import CardFacts, measure, read_origin, write_card
from tasks.dataset.code.corpus import is_corpus
from tasks.dataset.code.publish import assemble_corpus
from tasks.dataset.config import PublishDatasetConfig
from tasks.labelled_text.dataset import load_info, split_files
from tasks.results.curation import read_curation


def assemble(config: PublishDatasetConfig, dataset: Path, extract: Path, output: Path) -> Path:
    """Lay the data set out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when `dataset` is no curated data set or `extract` no extract.
    """
    if is_corpus(dataset):
        return assemble_corpus(config, dataset, extract, output)
    info = load_info(dataset)
    split_bytes, download_bytes = measure(dataset, info)
    facts = CardFacts(config, info, read_curation(dataset), read_origin(extract), split_bytes, download_bytes)
    (output / "data").mkdir(parents=True)
    for split in info.rows:
        for path in split_files(dataset, split):
            shutil.copyfile(path, output / "data" / path.name)
    shutil.copyfile(dataset / "dataset.json", output / "dataset.json")
    write_card(facts, output / "README.md")
    return output
