"""The published data set: opened by `datasets`, with a card that the Hub can read, the same each time."""

from pathlib import Path

import datasets
import pytest
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from infra.errors import ArtifactError
from infra.hub.local import LocalHub
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.data.publishing.publish import assemble
from tests.tasks.data.curation.extracts import sentences, write_extract

CONFIG = PublishDatasetConfig(
    name="local/intents", title="Intents", attribution="By B. Author.", sources=("A | B",)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    texts, labels = sentences(["no", "yes", "oos"], each=40)
    write_extract(folder / "extract", text=[*texts, "mail a@example.org"], label=[*labels, "no"])
    curate_rows(CurateConfig(rows_per_shard=50), folder / "extract", folder / "curated")
    return folder


def published(made: Path, tmp_path: Path, config: PublishDatasetConfig = CONFIG) -> Path:
    folder = assemble(config, made / "curated", made / "extract", tmp_path / "dataset")
    LocalHub(tmp_path / "hub").push("dataset", config.name, folder, "first")
    return tmp_path / "hub" / "datasets" / "local" / "intents" / "main"


def test_datasets_opens_the_published_folder_with_splits_and_class_labels(made: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(published(made, tmp_path)), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 97, "validation": 12, "test": 12}
    features = loaded["train"].features
    assert features["label"] == datasets.ClassLabel(names=["no", "yes", "oos"])
    assert features["text"].dtype == "string"
    assert set(loaded["test"]["label"]) == {0, 1, 2}


def test_the_card_is_what_the_hub_reads(made: Path, tmp_path: Path) -> None:
    card = DatasetCard.load(published(made, tmp_path) / "README.md", ignore_metadata_errors=False)
    data = card.data.to_dict()
    assert data["license"] == "cc-by-3.0" and data["language"] == ["en"]
    assert data["task_categories"] == ["text-classification"] and data["size_categories"] == ["n<1K"]
    info = DatasetInfosDict.from_dataset_card_data(card.data)["default"]
    assert {name: split.num_examples for name, split in info.splits.items()} == {
        "train": 97,
        "validation": 12,
        "test": 12,
    }
    assert all(split.num_bytes > 0 for split in info.splits.values()) and info.download_size > 0
    files = MetadataConfigs.from_dataset_card_data(card.data)["default"]["data_files"]
    assert [item["split"] for item in files] == ["train", "validation", "test"]


def test_the_text_is_made_from_the_records(made: Path, tmp_path: Path) -> None:
    text = DatasetCard.load(published(made, tmp_path) / "README.md").text
    assert "SELECT text, label\nFROM `assistant.queries`" in text and "@domains" in text
    assert "| redact | 121 | 121 | 1 | secrets and e-mail addresses replaced |" in text
    assert "By B. Author." in text and "Queries by A. Author, CC BY 3.0." in text and "- A \\| B" in text
    assert 'load_dataset("local/intents")' in text and "| test | 12 | set aside here, seeded |" in text


def test_a_source_that_the_config_names_is_attributed_once(made: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"attribution": 'From "Queries" by A. Author and others.'})
    text = DatasetCard.load(published(made, tmp_path, config) / "README.md").text
    assert 'From "Queries" by A. Author and others.' in text and "CC BY 3.0." not in text


def test_publishing_again_changes_nothing(made: Path, tmp_path: Path) -> None:
    hub, revisions = LocalHub(tmp_path / "hub"), []
    for name in ("one", "two"):
        folder = assemble(CONFIG, made / "curated", made / "extract", tmp_path / name)
        revisions.append(hub.push("dataset", CONFIG.name, folder, name).revision)
    assert revisions[0] == revisions[1] and len(hub.revisions("dataset", CONFIG.name)) == 1


def test_dropped_rows_do_not_go_to_the_hub(made: Path, tmp_path: Path) -> None:
    names = {path.name for path in published(made, tmp_path).rglob("*") if path.is_file()}
    assert (
        "curation.json" not in names
        and {"README.md", "dataset.json", "train-00000-of-00002.parquet"} <= names
    )


def test_a_config_names_the_licence_before_the_tables_do(made: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"license": "mit"})
    assert DatasetCard.load(published(made, tmp_path, config) / "README.md").data.license == "mit"


def test_an_extract_without_its_record_is_an_error(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no extract\.json"):
        assemble(CONFIG, made / "curated", tmp_path, tmp_path / "dataset")
