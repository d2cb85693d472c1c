"""The two steps in a real flow: curated once, published under the same revision each time."""

from pathlib import Path

import pytest
from prefect import flow

from infra.engine.run import StageOutcome, open_run
from infra.files import folder_digest
from infra.hub.local import LocalHub
from infra.settings import get_settings
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.stages import curate
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.data.publishing.stages import publish_dataset
from tasks.formats.dataset import load_info
from tasks.formats.kinds import DatasetRef
from tasks.formats.published_dataset import PublishedDataset
from tests.fakes.hub import hub_server
from tests.tasks.data.curation.extracts import sentences, write_extract


@flow
def prepare(extract: str, config: CurateConfig) -> tuple[PublishedDataset, list[StageOutcome]]:
    with open_run("prepare", config) as run:
        rows = DatasetRef(uri=Path(extract).as_uri(), digest=folder_digest(Path(extract)))
        dataset = curate(config, rows)
        return publish_dataset(PublishDatasetConfig(name="local/intents"), dataset, rows), run.outcomes


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_on_the_hub_the_card_passes_and_names_the_repository_as_it_is_called_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, labels = sentences("ab", each=30)
    extract = str(write_extract(tmp_path / "extract", text=texts, label=labels))
    with hub_server() as server:
        server.tokens = {"hf_token": "write"}
        monkeypatch.setenv("STILLHOUSE_HUB", f"{server.endpoint}/org")
        monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", "hf_token")
        get_settings.cache_clear()
        published, _ = prepare(extract, CurateConfig())
        assert prepare(extract, CurateConfig())[0] == published
        files = server.repos["dataset", "org/intents"].files(published.revision)
        assert sum("/commit/" in request for request in server.requests) == 1
        assert any("validate-yaml" in request for request in server.requests)
    assert published.repo == "org/intents" and 'load_dataset("org/intents")' in files["README.md"].decode()


@pytest.mark.usefixtures("prefect_server")
def test_a_second_run_serves_the_data_set_and_publishes_nothing_new(
    tracked_home: Path, tmp_path: Path
) -> None:
    texts, labels = sentences("ab", each=30)
    extract = str(write_extract(tmp_path / "extract", text=texts, label=labels))
    first, computed = prepare(extract, CurateConfig())
    again, served = prepare(extract, CurateConfig())
    assert [outcome.state for outcome in [*computed, *served]] == ["computed", "cached"]
    assert again == first
    hub = LocalHub(tracked_home / "hub")
    assert load_info(hub.resolve("dataset", "local/intents")).rows == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    assert [item.revision for item in hub.revisions("dataset", "local/intents")] == [first.revision]
