"""`flows.data` through the real Prefect: texts with labels, code from installed distributions, cached and the same anywhere."""

import json
from pathlib import Path

import datasets
import jsonschema
import pytest
from huggingface_hub import DatasetCard

from infra.settings import get_settings
from infra.warehouse.github_repos import build_tables
from infra.warehouse.installed import installed_distributions
from tasks.reporting.data_summary import DataSummary
from tests.infra.distributions import install
from tests.tasks.data.curation.code.sources import source
from tests.tasks.data.curation.extracts import sentences

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "flows" / "recipes" / "data" / "github_python.yaml"


def ran(report: Path, *arguments: str) -> DataSummary:
    from flows.configs.data import COMMAND

    assert COMMAND.main([*arguments, "--report", str(report)]) == 0
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads((ROOT / "docs" / "data-report.schema.json").read_text()))
    return DataSummary.model_validate(written)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    for name, files, license in (
        ("one", 6, "MIT"),
        ("two", 2, "Apache-2.0"),
        ("three", 2, "ISC"),
        ("four", 2, "GPL-3.0-only"),
    ):
        install(site, name, {f"{name}/{i}.py": source(f"{name}{i}") for i in range(files)}, license=license)
    install(site, "five", {"five/bad.py": "print 'two'\n" * 90, "five/copy.py": source("one0")})
    return build_tables(tmp_path / "warehouse", installed_distributions([str(site)]))


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_code_is_published_once_and_the_same_in_any_home(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = (
        "--config",
        str(RECIPE),
        "--extract.table",
        str(tables),
        "--extract.parameters.sample_percent",
        "100",
    )
    first = ran(tmp_path / "first.json", *asked)
    printed = " ".join(capfd.readouterr().out.split())
    assert (first.rows_in, first.rows_out) == (11, 10), (
        "the GPL is not allowed, and one content is in two places"
    )
    assert "unparsable 11 10 1 -" in printed
    assert "rows 11 in, 10 out: train" in printed and first.dataset.path in printed
    assert [(stage.name, stage.state, stage.rows) for stage in first.stages] == [
        ("extract", "computed", 11),
        ("curate_code", "computed", 10),
    ]
    assert all(stage.bytes > 0 for stage in first.stages)

    card = DatasetCard.load(Path(first.dataset.path) / "README.md", ignore_metadata_errors=False)
    assert card.data.to_dict()["license"] == ["apache-2.0", "isc", "mit"]
    loaded = datasets.load_dataset(first.dataset.path, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == first.splits
    assert loaded["train"].column_names == ["text", "repo_name", "path", "license", "quality"]

    again = ran(tmp_path / "again.json", *asked)
    assert {stage.state for stage in again.stages} == {"cached"}
    assert again.dataset == first.dataset

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "elsewhere"))
    get_settings.cache_clear()
    elsewhere = ran(tmp_path / "elsewhere.json", *asked)
    assert [stage.digest for stage in elsewhere.stages] == [stage.digest for stage in first.stages]
    assert elsewhere.dataset.revision == first.dataset.revision


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_an_own_table_is_published_with_its_labels(tmp_path: Path) -> None:
    texts, labels = sentences(["no", "yes"], each=30)
    lines = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (tmp_path / "answers.csv").write_text("\n".join(["text,label", *lines, lines[0]]) + "\n")
    made = ran(tmp_path / "report.json", "--extract.table", str(tmp_path / "answers.csv"))
    assert (made.rows_in, made.rows_out) == (61, 60)
    assert sum(made.splits.values()) == 60
    dropped = {step.name: step.rows_in - step.rows_out for step in made.filters}
    assert dropped["exact_duplicates"] == 1
