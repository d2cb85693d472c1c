"""The published corpus: a card that the Hub can read, with every licence and its count."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from tasks.data.curation.code.curate import curate_files
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.data.publishing.publish import assemble
from tests.tasks.data.curation.code.sources import repository, write_code

CONFIG = PublishDatasetConfig(name="local/code", title="Code | files", language=("code",), tags=("python",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    files = [*repository("one", 8), *repository("two", 2, "apache-2.0"), *repository("three", 2, "isc")]
    curate_files(
        CurateCodeConfig(rows_per_shard=5), write_code(folder / "extract", files), folder / "curated"
    )
    return folder


def test_the_card_is_what_the_hub_reads(made: Path, tmp_path: Path) -> None:
    folder = assemble(CONFIG, made / "curated", made / "extract", tmp_path / "dataset")
    card = DatasetCard.load(folder / "README.md", ignore_metadata_errors=False)
    data = card.data.to_dict()
    assert data["license"] == ["apache-2.0", "isc", "mit"] and data["language"] == ["code"]
    assert data["task_categories"] == ["text-generation"] and data["size_categories"] == ["n<1K"]
    assert data["tags"] == ["stillhouse", "code", "python"]
    info = DatasetInfosDict.from_dataset_card_data(card.data)["default"]
    assert {name: split.num_examples for name, split in info.splits.items()} == {
        "train": 8,
        "validation": 2,
        "test": 2,
    }
    assert list(info.features) == ["text", "repo_name", "path", "license", "quality"]
    files = MetadataConfigs.from_dataset_card_data(card.data)["default"]["data_files"]
    assert [item["split"] for item in files] == ["train", "validation", "test"]


def test_the_text_has_licences_with_counts_the_query_and_each_step(made: Path, tmp_path: Path) -> None:
    folder = assemble(CONFIG, made / "curated", made / "extract", tmp_path / "dataset")
    text = DatasetCard.load(folder / "README.md").text
    assert "# Code \\| files" in text
    assert "| mit | 8 | 66.7% |" in text and "| apache-2.0 | 2 | 16.7% |" in text
    assert "FROM `assistant.queries`" in text and "| unparsable | 12 | 12 | 0 |" in text
    assert "| test | 2 | 1 |" in text


def test_a_config_names_one_licence_for_all(made: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"license": "other"})
    folder = assemble(config, made / "curated", made / "extract", tmp_path / "dataset")
    assert DatasetCard.load(folder / "README.md").data.license == "other"


def test_shards_go_to_the_hub_and_dropped_files_do_not(made: Path, tmp_path: Path) -> None:
    folder = assemble(CONFIG, made / "curated", made / "extract", tmp_path / "dataset")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == ["README.md", "corpus.json", "data/test-00000-of-00001.parquet", "data/train-00000-of-00002.parquet",
                     "data/train-00001-of-00002.parquet", "data/validation-00000-of-00001.parquet"]  # fmt: skip
    assert pq.read_schema(folder / "data" / "test-00000-of-00001.parquet").names == [
        "text",
        "repo_name",
        "path",
        "license",
        "quality",
    ]


def test_the_card_says_what_is_held_out_and_that_single_files_share_a_repository(tmp_path: Path) -> None:
    files = [*repository("one/a", 30), *repository("one/b", 2)]
    config = CurateCodeConfig(held_out=("one/b",), file_share=0.2)
    curate_files(config, write_code(tmp_path / "extract", files), tmp_path / "curated")
    folder = assemble(CONFIG, tmp_path / "curated", tmp_path / "extract", tmp_path / "dataset")
    text = DatasetCard.load(folder / "README.md").text
    assert "In test as a whole: one/b." in text and "Single files, 20.00% each," in text
    assert "No repository is in two splits" not in text
