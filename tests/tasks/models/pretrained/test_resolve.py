"""The packaged model is the official one and opens, a folder is taken as it is, the rest is refused."""

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModel, AutoTokenizer

from infra.errors import ArtifactError, ConfigError
from infra.files import file_digest, folder_digest
from tasks.models.pretrained.config import BaseModelConfig
from tasks.models.pretrained.resolve import check_files, packaged_model, resolve_base_model
from tests.tasks.models.pretrained.tiny_model import write_model


def test_the_packaged_model_is_the_default_and_needs_no_network(tmp_path):
    pinned = resolve_base_model(BaseModelConfig(), tmp_path / "downloads")
    assert pinned.folder == packaged_model()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in pinned.files}
    assert "README.md" not in {path.name for path in pinned.files}
    assert not (tmp_path / "downloads").exists()


def test_the_packaged_model_tells_paraphrases_from_other_sentences():
    """Mean pooling over the last hidden states, normalised (Reimers and Gurevych 2019, section 3)."""
    folder = packaged_model()
    model = AutoModel.from_pretrained(folder, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    texts = ["how much money do i have", "what is my account balance", "will it rain in paris tomorrow"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.5 > 0.2 > max(alike[0, 2], alike[1, 2])


def test_other_files_than_the_official_ones_are_refused(tmp_path):
    folder = write_model(tmp_path / "model")
    official = {
        path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*") if path.is_file()
    }
    check_files(folder, official)
    with pytest.raises(
        ArtifactError, match=r"nothing is not there: expected .*pip install --force-reinstall"
    ):
        check_files(folder, official | {"nothing": "0" * 64})
    for name in official:
        with pytest.raises(ArtifactError, match=rf"{name} has sha256 .*expected 0{{64}}.*--force-reinstall"):
            check_files(folder, official | {name: "0" * 64})
    (folder / "1_Adapter").mkdir()
    (folder / "1_Adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"adapter_config.json is no file of .*Remove it"):
        check_files(folder, official)


def test_a_local_folder_is_its_content_wherever_it_lies(tmp_path):
    def pinned(name, value):
        config = BaseModelConfig(source=str(write_model(tmp_path / name, value)))
        return resolve_base_model(config, tmp_path / "downloads")

    one, two, other = pinned("one", 0.5), pinned("elsewhere/two", 0.5), pinned("other", 0.25)
    digests = [folder_digest(model.folder, model.files) for model in (one, two, other)]
    assert one.folder.is_absolute() and digests[0] == digests[1] != digests[2]


def test_a_local_folder_is_found_from_the_working_directory(tmp_path, monkeypatch):
    write_model(tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    assert (
        resolve_base_model(BaseModelConfig(source="models/mine"), tmp_path).folder == tmp_path / "models/mine"
    )


@pytest.mark.parametrize(
    "source", ["/nowhere/model", "./nowhere", "a/b/c", "~/nowhere", "two words", "http://x/y"]
)
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused(tmp_path, source):
    with pytest.raises(ConfigError, match=r"no folder and no Hub id: expected .*Correct `--base.source`"):
        resolve_base_model(BaseModelConfig(source=source), tmp_path)


def test_a_file_is_no_model(tmp_path):
    path = write_model(tmp_path / "model") / "model.safetensors"
    with pytest.raises(ConfigError, match="is a file"):
        resolve_base_model(BaseModelConfig(source=str(path)), tmp_path)


def test_config_refuses_the_empty_and_the_unknown():
    for wrong in ({"source": ""}, {"revision": ""}, {"name": "x"}):
        with pytest.raises(ValidationError):
            BaseModelConfig(**wrong)
