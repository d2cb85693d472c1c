"""The card of a published data set: metadata as the Hub reads it, and text made from records."""

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from huggingface_hub import DatasetCard, DatasetCardData
from pydantic import BaseModel, ConfigDict, JsonValue

from infra.errors import ArtifactError
from tasks.cards.markdown import card_templates
from tasks.dataset.config import PublishDatasetConfig
from tasks.dataset.redact import redact
from tasks.labelled_text.dataset import DatasetInfo, split_files
from tasks.results.curation import CurationReport

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE = "dataset_card.md.j2"
EXTRACT_FILE = "extract.json"
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
LARGEST = "10M<n<100M"


class Source(BaseModel):
    """A table that rows came from, as far as the card tells of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str | None = None
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None


class Origin(BaseModel):
    """What `extract.json` says of where the rows came from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sql: str
    dialect: str = "sql"
    parameters: dict[str, JsonValue] = {}
    rows: int
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says."""

    config: PublishDatasetConfig
    info: DatasetInfo
    curation: CurationReport
    origin: Origin
    split_bytes: dict[str, int]
    download_bytes: int

    @property
    def license(self) -> str:
        """The licence that was asked for, else the one that all sources have, else unknown."""
        licences = {source.licence for source in self.origin.sources}
        only = licences.pop() if len(licences) == 1 else None
        return self.config.license or only or "unknown"

    @property
    def attributions(self) -> tuple[str, ...]:
        """Sentences that name the sources, each once: the config's, then those of tables that it does not name."""
        own = (
            source.attribution
            for source in self.origin.sources
            if source.title is None or not _names(self.config.attribution, source.title)
        )
        return tuple(dict.fromkeys(text for text in (self.config.attribution, *own) if text))


def read_origin(extract: Path) -> Origin:
    """Read `extract.json`, secrets and addresses in it redacted but for attributions, which want to be read.

    Raises ArtifactError when it is not there.
    """
    path = extract / EXTRACT_FILE
    if not path.is_file():
        raise ArtifactError(f"{extract} has no {EXTRACT_FILE}: expected an extract. Run extract again.")
    origin = Origin.model_validate_json(path.read_text(encoding="utf-8"))
    return origin.model_copy(
        update={
            "sql": redact(origin.sql),
            "parameters": {name: _redacted(value) for name, value in origin.parameters.items()},
            "sources": tuple(_told(source) for source in origin.sources),
        }
    )


def _told(source: Source) -> Source:
    said = source.model_dump(exclude={"attribution"}, exclude_none=True)
    return source.model_copy(update={name: redact(value) for name, value in said.items()})


def _redacted(value: JsonValue) -> JsonValue:
    """A parameter: text, a list of texts, or what needs no redaction."""
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def measure(folder: Path, info: DatasetInfo) -> tuple[dict[str, int], int]:
    """Bytes of each split in memory (as `num_bytes` of the Hub), and of all parquet files."""
    files = {split: split_files(folder, split) for split in info.rows}
    in_memory = {split: sum(pq.read_table(path).nbytes for path in paths) for split, paths in files.items()}
    return in_memory, sum(path.stat().st_size for paths in files.values() for path in paths)


def card_data(facts: CardFacts) -> DatasetCardData:
    """The YAML block. Labels are class labels: their text in the files becomes an id on loading."""
    rows = facts.info.rows
    names: JsonValue = {str(i): name for i, name in enumerate(facts.info.labels)}
    splits: JsonValue = [
        {"name": split, "num_bytes": facts.split_bytes[split], "num_examples": count}
        for split, count in rows.items()
    ]
    return DatasetCardData(
        language=list(facts.config.language),
        license=facts.license,
        pretty_name=facts.config.title,
        tags=["stillhouse", *facts.config.tags],
        task_categories=["text-classification"],
        size_categories=[hub_size(sum(rows.values()))],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in rows],
            }
        ],
        dataset_info={
            "features": [
                {"name": "text", "dtype": "string"},
                {"name": "label", "dtype": {"class_label": {"names": names}}},
                {"name": "weight", "dtype": "float64"},
            ],
            "splits": splits,
            "download_size": facts.download_bytes,
            "dataset_size": sum(facts.split_bytes.values()),
        },
    )


def write_card(facts: CardFacts, path: Path) -> None:
    """Write the card; the same facts give the same bytes."""
    render_card(TEMPLATES / TEMPLATE, facts, facts.origin.sql, card_data(facts), path)


def render_card(template: Path, facts: object, sql: str, data: DatasetCardData, path: Path) -> None:
    """Write a card from its template (`facts`, and `fence` for the code block of `sql`) under its YAML block."""
    text = card_templates(template.parent).get_template(template.name).render(facts=facts, fence=_fence(sql))
    card = DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{text}", ignore_metadata_errors=False)
    path.write_text(str(card), encoding="utf-8")


def hub_size(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for limit, name in SIZES if rows < limit), LARGEST)


def _names(text: str, title: str) -> bool:
    """Whether a text has a title in it, as words of their own."""
    return re.search(rf"(?<!\w){re.escape(title)}(?!\w)", text, re.IGNORECASE) is not None


def _fence(code: str) -> str:
    """A fence that is longer than any run of back-ticks in the code."""
    fence = "```"
    while fence in code:
        fence += "`"
    return fence
