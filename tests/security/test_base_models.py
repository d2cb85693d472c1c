"""A base model's folder is somebody else's: what it may not make us read, load, wait for or stumble over."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.errors import ArtifactError
from tasks.models.pretrained.files import check_model_folder
from tasks.models.shape import AskedShapes, check_shapes
from tasks.tokenizers.files import max_length
from tests.tasks.models.pretrained.tiny_model import write_model, write_shards

INDEX = "model.safetensors.index.json"
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def change(path: Path, **fields: object) -> None:
    """Give fields of a JSON object other values; the file is made where it is not there."""
    values = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(values | fields))


def test_a_header_longer_than_any_is_not_read(model: Path) -> None:
    length = 150_000_000
    with (model / "model.safetensors").open("wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(8 + length + 8)
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError):
            check_model_folder(model)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize("offsets", [[0, "4"], [0, None], [0, {}]])
def test_offsets_that_are_no_numbers_are_said(model: Path, offsets: object) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ArtifactError, match=r"model\.safetensors is damaged"):
        check_model_folder(model)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "special_tokens_map.json"])
def test_json_that_is_nested_without_end_is_said(model: Path, name: str) -> None:
    (model / name).write_text(f'{{"model_type": "bert", "deep": {DEEP}}}')
    with pytest.raises(ArtifactError, match=rf"{name} cannot be read"):
        check_model_folder(model)


def test_an_index_that_is_nested_without_end_is_said(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "model")
    (folder / INDEX).write_text(DEEP)
    with pytest.raises(ArtifactError, match=r"index\.json cannot be read"):
        check_model_folder(folder)


@pytest.mark.parametrize(
    "place", ["../elsewhere.safetensors", "{root}/elsewhere.safetensors", "in/it.safetensors"]
)
def test_an_index_names_files_of_its_folder_alone(tmp_path: Path, place: str) -> None:
    folder, name = write_shards(tmp_path / "model"), place.format(root=tmp_path)
    (folder / "in").mkdir()
    weights = (folder / "model-00001-of-00002.safetensors").read_bytes()
    (folder / name).write_bytes(weights)
    change(folder / INDEX, weight_map={"w": name})
    with pytest.raises(ArtifactError, match="expected names of files in the same folder"):
        check_model_folder(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "vocab.txt", "tokenizer.json", "model.safetensors", "1_Pooling"]
)
def test_no_file_of_the_folder_is_a_link_to_the_user_s_own(model: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "private"
    if (model / name).exists():
        (model / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (model / name).symlink_to(elsewhere)
    with pytest.raises(ArtifactError, match=rf"{name} leads to {elsewhere}, outside of the model's folder"):
        check_model_folder(model)


@pytest.mark.parametrize(
    "asked",
    [
        {"attn_implementation": "somebody/kernel"},
        {"attn_implementation": "somebody/kernel@main:attend"},
        {"attn_implementation": {"": "sdpa", "text_config": "somebody/kernel"}},
        {"attn_implementation": "flash_attention_2"},
        {"attn_implementation": "paged|somebody/kernel"},
        {"_attn_implementation": "somebody/kernel"},
        {"text_config": {"attn_implementation": "somebody/kernel"}},
        {"per_layer_config": [{"_attn_implementation": "somebody/kernel"}]},
        {"experts_implementation": "sonicmoe"},
        {"_experts_implementation": "deepgemm"},
        {"quantization_config": {"quant_method": "fp8"}},
        {"text_config": {"quantization_config": {"quant_method": "mxfp4"}}},
    ],
    ids=str,
)
def test_a_config_cannot_ask_for_code_of_other_packages(model: Path, asked: dict[str, Any]) -> None:
    change(model / "config.json", **asked)
    with pytest.raises(ArtifactError, match=r"look(ed)? for"):
        check_model_folder(model)


def test_other_weights_than_those_that_are_checked_cannot_be_named(model: Path) -> None:
    (model / "other.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    change(model / "config.json", transformers_weights="other.safetensors")
    with pytest.raises(ArtifactError, match=r"names 'other\.safetensors' as its weights"):
        check_model_folder(model)


@pytest.mark.parametrize("name", ["../tokenizer.4.0.0.json", "tokenizer.4.0.0.json"])
def test_other_tokenizers_than_those_that_are_checked_cannot_be_named(model: Path, name: str) -> None:
    (model / name).write_bytes((model / "tokenizer.json").read_bytes())
    change(model / "tokenizer_config.json", fast_tokenizer_files=[name])
    with pytest.raises(ArtifactError, match=r"tokenizer\.4\.0\.0\.json.* expected tokenizer\.json alone"):
        check_model_folder(model)


def test_an_adapter_cannot_name_another_model_in_place_of_the_one_that_was_asked_for(model: Path) -> None:
    change(model / "adapter_config.json", peft_type="LORA", base_model_name_or_path="somebody/model")
    with pytest.raises(ArtifactError, match="an adapter that names another model"):
        check_model_folder(model)


@pytest.mark.parametrize(
    "read",
    [
        max_length,
        lambda folder: check_shapes(AskedShapes(layers={"distill.layers": 2}, intermediate_size={}), folder),
    ],
    ids=["positions", "layers"],
)
def test_sizes_that_are_no_numbers_are_passed_over(model: Path, read: Callable[[Path], object]) -> None:
    (model / "config.json").write_text(
        '{"model_type": "bert", "max_position_embeddings": Infinity, "num_hidden_layers": "many"}'
    )
    assert read(model) in (None, 512)
