"""The card of a published data set: metadata as the Hub reads it, and text made from records."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import DatasetCard, DatasetCardData
from pydantic import JsonValue

from tasks.data.curation.redact import redact
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.formats.corpus import CORPUS_COLUMNS, CorpusInfo
from tasks.formats.curation_report import CurationReport
from tasks.formats.dataset import DatasetInfo
from tasks.formats.extraction import ExtractRecord, Source, read_record
from tasks.formats.markdown import card_templates

TEMPLATES = Path(__file__).parent / "templates"
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
LARGEST = "10M<n<100M"


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says. `split_bytes` are those of its text; of rows with labels, in memory."""

    config: PublishDatasetConfig
    info: DatasetInfo | CorpusInfo
    curation: CurationReport
    origin: ExtractRecord
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


def read_origin(extract: Path) -> ExtractRecord:
    """Read `extract.json`, secrets and addresses in it redacted but for attributions, which want to be read.

    Raises ArtifactError when it is not there.
    """
    origin = read_record(extract)
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


def _redacted(value: str | float | tuple[str, ...]) -> JsonValue:
    """A parameter: text, a list of texts, or what needs no redaction."""
    if isinstance(value, tuple):
        return [redact(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def write_card(facts: CardFacts, path: Path) -> None:
    """Write the card of a data set, of rows with labels or of code; the same facts give the same bytes."""
    if isinstance(facts.info, CorpusInfo):
        template, data = "code_card.md.j2", _code_data(facts, facts.info)
    else:
        template, data = "dataset_card.md.j2", _labelled_data(facts, facts.info)
    fence = _fence(facts.origin.sql)
    text = card_templates(TEMPLATES).get_template(template).render(facts=facts, fence=fence)
    card = DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{text}", ignore_metadata_errors=False)
    path.write_text(str(card), encoding="utf-8")


def _labelled_data(facts: CardFacts, info: DatasetInfo) -> DatasetCardData:
    """Labels are class labels: their text in the files becomes an id on loading."""
    names: JsonValue = {str(i): name for i, name in enumerate(info.labels)}
    features: list[JsonValue] = [
        {"name": "text", "dtype": "string"},
        {"name": "label", "dtype": {"class_label": {"names": names}}},
    ]
    return _card_data(facts, facts.license, "text-classification", (), features)


def _code_data(facts: CardFacts, info: CorpusInfo) -> DatasetCardData:
    """Every licence that a file has, unless the config names one for all."""
    features: list[JsonValue] = [{"name": name, "dtype": "string"} for name in CORPUS_COLUMNS]
    licences = facts.config.license or sorted(info.licenses)
    return _card_data(facts, licences, "text-generation", ("code",), features)


def _card_data(
    facts: CardFacts, license: str | list[str], task: str, tags: tuple[str, ...], features: list[JsonValue]
) -> DatasetCardData:
    """The YAML block."""
    rows = facts.info.rows
    splits: JsonValue = [
        {"name": split, "num_bytes": facts.split_bytes[split], "num_examples": count}
        for split, count in rows.items()
    ]
    return DatasetCardData(
        language=list(facts.config.language),
        license=license,
        pretty_name=facts.config.title,
        tags=["stillhouse", *tags, *facts.config.tags],
        task_categories=[task],
        size_categories=[hub_size(sum(rows.values()))],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in rows],
            }
        ],
        dataset_info={
            "features": features,
            "splits": splits,
            "download_size": facts.download_bytes,
            "dataset_size": sum(facts.split_bytes.values()),
        },
    )


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
