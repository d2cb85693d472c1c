"""What the review tried on models and found holding: it goes on holding."""

import json
import os
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.inference.onnx import open_session
from tasks.models.loading import load_body, load_tokenizer
from tasks.models.pretrained.files import check_model_folder
from tests.security.outside_graph import PLACES, write_graph
from tests.tasks.models.pretrained.tiny_model import write_model
from tests.tasks.models.tiny_encoder import write_base

CODE = """
from pathlib import Path
Path({marker!r}).write_text("it ran")
from transformers import BertConfig as Config, BertModel as Model, BertTokenizerFast as Words
"""
CLASSES = {
    "AutoConfig": "theirs.Config",
    "AutoModel": "theirs.Model",
    "AutoTokenizer": ["theirs.Words", "theirs.Words"],
}


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("model_type", ["bert", "theirs"])
def test_code_that_a_model_brings_along_does_not_run(tmp_path: Path, model_type: str) -> None:
    folder, marker = write_base(tmp_path / "model"), tmp_path / "marker"
    (folder / "theirs.py").write_text(CODE.format(marker=str(marker)))
    change(folder / "config.json", auto_map=CLASSES, model_type=model_type)
    change(folder / "tokenizer_config.json", auto_map=CLASSES)
    check_model_folder(folder)
    if model_type == "bert":
        assert load_body(folder).config.hidden_size == 32
    else:
        with pytest.raises(ArtifactError, match="cannot be read as an encoder"):
            load_body(folder)
    assert load_tokenizer(folder)("rain")["input_ids"]
    assert not marker.exists()


@pytest.mark.parametrize("place", PLACES)
def test_onnx_runtime_reads_no_weights_outside_of_the_graph_s_folder(tmp_path: Path, place: str) -> None:
    folder = write_graph(tmp_path / "graph", place)
    with pytest.raises(ArtifactError, match="ONNX Runtime does not take"):
        open_session(folder, threads=1, spinning=False)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "model")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ArtifactError):
        check_model_folder(folder)
