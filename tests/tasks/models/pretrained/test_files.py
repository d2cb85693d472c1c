"""A model's folder is checked before anything is computed from it."""

import json
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.models.pretrained.files import check_model_folder
from tests.tasks.models.pretrained.tiny_model import write_model, write_shards


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in check_model_folder(folder)]


def test_files_that_matter_leave_out_cards_and_other_formats(tmp_path):
    folder = write_model(tmp_path / "model")
    (folder / "1_Pooling").mkdir()
    for name in ("README.md", "pytorch_model.bin", "modules.json", "1_Pooling/config.json", ".gitattributes"):
        (folder / name).write_text("{}")
    expected = ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json"]
    assert names(folder) == expected


def test_shards_are_followed_through_their_index(tmp_path):
    folder = write_shards(tmp_path / "model")
    assert len([name for name in names(folder) if name.endswith(".safetensors")]) == 2
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"lacks model-00002-of-00002\.safetensors"):
        check_model_folder(folder)


def test_a_damaged_index_is_named(tmp_path):
    folder = write_shards(tmp_path / "model")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    with pytest.raises(ArtifactError, match=r"index\.json cannot be read"):
        check_model_folder(folder)


def test_weights_that_can_run_code_are_refused_with_the_way_to_convert(tmp_path):
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        ArtifactError, match=r"only as pytorch_model\.bin.*Convert it once: .*save_pretrained"
    ):
        check_model_folder(folder)


def test_no_weights_at_all(tmp_path):
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"no weights: expected model\.safetensors"):
        check_model_folder(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: whole[:5],
        lambda whole: b"",
        lambda whole: b"PK\x03\x04" + whole,
        lambda whole: whole[:8] + b"\xff" * 20 + whole[28:],
        lambda whole: (2).to_bytes(8, "little") + b"[]" + whole,
    ],
    ids=["cut", "longer", "no_header", "empty", "zip", "no_json", "no_object"],
)
def test_weights_that_are_not_whole_are_found_without_reading_them(tmp_path, damage):
    folder = write_model(tmp_path / "model")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(damage(whole))
    with pytest.raises(ArtifactError, match=r"is damaged: it has \d+ bytes"):
        check_model_folder(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "has no config.json"),
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ("{}", "has no model_type"),
    ],
)
def test_a_config_that_is_none(tmp_path, content, said):
    folder = write_model(tmp_path / "model")
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_text(content)
    with pytest.raises(ArtifactError, match=said):
        check_model_folder(folder)


def test_a_tokenizer_is_needed(tmp_path):
    folder = write_model(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match=r"has no tokenizer: expected one of tokenizer\.json, vocab\.txt"):
        check_model_folder(folder)
    (folder / "vocab.txt").write_text("[UNK]\n")
    assert "vocab.txt" in names(folder)


def test_metadata_in_the_header_is_no_tensor(tmp_path):
    folder = write_model(tmp_path / "model")
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    )
    content = len(header).to_bytes(8, "little") + header.encode() + b"\0" * 4
    (folder / "model.safetensors").write_bytes(content)
    assert "model.safetensors" in names(folder)
