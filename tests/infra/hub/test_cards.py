"""Cards as the Hub judges them: what it refuses is not published, and the message says what to correct."""

from pathlib import Path

import pytest

from infra.errors import HubError
from infra.hub.protocol import Kind
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import REPO, folder_of

RESULT = "{task: {type: t}, dataset: {type: o/d, name: d}, metrics: [{type: accuracy, value: 0.9}]}"


@pytest.mark.parametrize(
    ("kind", "header", "named"),
    [
        ("model", "license: proprietary", "license.*'proprietary' is not valid"),
        ("model", "license: [mit, apache-2.0]", "license"),
        ("dataset", "license: [mit, gpl-2.0-or-later]", "license.1.*one of"),
        ("model", "language: english", "language.*ISO 639"),
        ("dataset", "size_categories: n<2K", "size_categories"),
        ("dataset", "tags: [1, 2]", "tags"),
        ("model", "base_model: /home/me/model", "base_model"),
        ("model", "datasets: [null]", "datasets"),
        (
            "model",
            "model-index: [{name: m, results: [{task: {type: t}}]}]",
            "model-index.0.results.0.dataset",
        ),
        ("model", f"model-index: [{{results: [{RESULT}]}}]", "model-index.0.name"),
        (
            "dataset",
            "configs: [{config_name: a, data_files: [{split: train}]}]",
            "configs.0.data_files.*path",
        ),
        ("dataset", "dataset_info: {splits: [{name: train, num_bytes: many}]}", "dataset_info.*num_bytes"),
        ("model", "- a list", "metadata"),
        ("model", "license: [", "no YAML"),
    ],
)
def test_a_card_that_the_hub_refuses_is_not_published_and_its_fault_is_named(
    remote: RemoteHub, server: HubServer, tmp_path: Path, kind: Kind, header: str, named: str
) -> None:
    folder = folder_of(tmp_path / "a", **{"README.md": f"---\n{header}\n---\n", "rows.parquet": "rows"})
    with pytest.raises(HubError, match=rf"(?s)refuses it.*{named}.*Correct what it names"):
        remote.push(kind, REPO, folder, "")
    assert set(server.repos[kind, "org/intents"].files()) == {".gitattributes"}


@pytest.mark.parametrize(
    "text",
    [
        "no header at all",
        f"---\nlicense: mit\nlanguage: [en, de]\nmodel-index: [{{name: m, results: [{RESULT}]}}]\n---\n",
        "---\nlicense: other\nlicense_name: ours\nsomething: the Hub does not know\n---\n",
    ],
)
def test_a_card_that_it_takes_is_published(remote: RemoteHub, tmp_path: Path, text: str) -> None:
    remote.push("model", REPO, folder_of(tmp_path / "a", **{"README.md": text}), "")
    assert (remote.resolve("model", REPO) / "README.md").read_text() == text
