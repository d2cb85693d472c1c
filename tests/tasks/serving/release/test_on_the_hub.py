"""A release on the Hub on the network, by the real flow: branch, tag, tokenizer, and a card that leads back to the rows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from infra.hub.connect import open_hub
from infra.hub.protocol import Hub
from infra.settings import get_settings
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.release_record import ReleaseRecord
from tests.fakes.hub import HubServer, hub_server
from tests.tasks.reporting.run import RunConfig, tiny_release

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
TOKEN = "hf_canary0token0never0shown"


@pytest.fixture
def server(tracked_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server() as server:
        server.tokens = {TOKEN: "write"}
        monkeypatch.setenv("STILLHOUSE_HUB", f"{server.endpoint}/org")
        monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", TOKEN)
        get_settings.cache_clear()
        yield server


def publish_rows(hub: Hub, folder: Path) -> PublishedDataset:
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["move money"]}), folder / "data" / "test-00000-of-00001.parquet")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    pushed = hub.push("dataset", "local/rows", folder, "rows")
    return PublishedDataset(repo=pushed.repo, revision=pushed.revision, path=pushed.path)


def release(model: str, published: PublishedDataset) -> ReleaseRecord:
    return tiny_release(RunConfig(model=model, published=published))


def test_each_training_run_has_a_branch_each_release_a_tag_and_the_champion_is_main(
    server: HubServer, tmp_path: Path
) -> None:
    hub = open_hub(get_settings())
    published = publish_rows(hub, tmp_path / "rows")
    one, two = release("one", published), release("second", published)
    repo = server.repos["model", "org/tiny"]
    runs = {name: oid for name, oid in repo.branches.items() if name.startswith("run-")}
    tags = {name: oid for name, oid in repo.tags.items() if name.startswith("content-")}
    assert set(runs.values()) == {one.revision, two.revision} == set(tags.values())
    assert len(runs) == len(tags) == 2 and hub.main("model", "local/tiny") == two.revision
    for record in (one, two):
        files = repo.files(str(record.revision))
        assert {"README.md", "config.json", "tokenizer.json"} <= files.keys()
        assert json.loads(files["tokenizer.json"])["model"]["type"] == "WordLevel"
    assert release("second", published).revision == two.revision and len(repo.commits) == 1 + 2 + 2


def test_the_card_passes_the_hub_and_names_rows_that_are_found_after_the_branch_has_moved(
    server: HubServer, tmp_path: Path
) -> None:
    hub = open_hub(get_settings())
    published = publish_rows(hub, tmp_path / "rows")
    record = release("one", published)
    assert any("validate-yaml" in request for request in server.requests)
    server.repos["dataset", "org/rows"].put({"README.md": b"other rows are here now"})
    card = ModelCard.load(hub.resolve("model", "local/tiny", str(record.revision)) / "README.md")
    results = card.data.eval_results
    assert {result.metric_type for result in results} == {"accuracy", "f1"}
    for result in results:
        assert (result.dataset_type, result.dataset_revision) == ("org/rows", published.revision)
        rows = hub.resolve("dataset", result.dataset_type, result.dataset_revision)
        (shard,) = (rows / "data").glob(f"{result.dataset_split}-*.parquet")
        assert pq.read_table(shard).to_pydict() == {"text": ["move money"]}
    index = eval_results_to_model_index("tiny", results)
    assert model_index_to_eval_results(index) == ("tiny", results)
    assert card.data.to_dict()["model-index"] == index
