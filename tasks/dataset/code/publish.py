"""A corpus of code as it goes to the Hub: parquet shards, `corpus.json` and a card made from the records."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import DatasetCardData
from pydantic import JsonValue

from tasks.dataset.card import Origin, hub_size, read_origin, render_card
from tasks.dataset.code.corpus import CORPUS_FILE, CorpusInfo, load_corpus
from tasks.dataset.code.rows import TEXT_COLUMNS
from tasks.dataset.config import PublishDatasetConfig
from tasks.labelled_text.dataset import split_files
from tasks.results.curation import CurationReport, read_curation

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE = "code_card.md.j2"


@dataclass(frozen=True)
class CodeFacts:
    """Everything that a card of a corpus says."""

    config: PublishDatasetConfig
    info: CorpusInfo
    curation: CurationReport
    origin: Origin
    download_bytes: int


def assemble_corpus(config: PublishDatasetConfig, dataset: Path, extract: Path, output: Path) -> Path:
    """Lay the corpus out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when `dataset` is no curated corpus or `extract` no extract.
    """
    info = load_corpus(dataset)
    shards = [path for split in info.rows for path in split_files(dataset, split)]
    size = sum(path.stat().st_size for path in shards)
    facts = CodeFacts(config, info, read_curation(dataset), read_origin(extract), size)
    (output / "data").mkdir(parents=True)
    for path in shards:
        shutil.copyfile(path, output / "data" / path.name)
    shutil.copyfile(dataset / CORPUS_FILE, output / CORPUS_FILE)
    render_card(TEMPLATES / TEMPLATE, facts, facts.origin.sql, card_data(facts), output / "README.md")
    return output


def card_data(facts: CodeFacts) -> DatasetCardData:
    """The YAML block: every licence that a file has, unless the config names one for all."""
    info = facts.info
    features: JsonValue = [{"name": name, "dtype": "string"} for name in TEXT_COLUMNS]
    splits: JsonValue = [
        {"name": split, "num_bytes": info.bytes[split], "num_examples": rows}
        for split, rows in info.rows.items()
    ]
    return DatasetCardData(
        language=list(facts.config.language),
        license=facts.config.license or sorted(info.licenses),
        pretty_name=facts.config.title,
        tags=["stillhouse", "code", *facts.config.tags],
        task_categories=["text-generation"],
        size_categories=[hub_size(sum(info.rows.values()))],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in info.rows],
            }
        ],
        dataset_info={
            "features": features,
            "splits": splits,
            "download_size": facts.download_bytes,
            "dataset_size": sum(info.bytes.values()),
        },
    )
