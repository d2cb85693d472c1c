"""A model's folder as transformers saves it, small enough to be made in each test."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models


def write_model(folder: Path, value: float = 0.5) -> Path:
    """config.json, model.safetensors and tokenizer.json; `value` fills the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 4}))
    save_file({"weight": np.full((8, 4), value, dtype=np.float32)}, folder / "model.safetensors")
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "a": 2}
    Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
    return folder


def write_shards(folder: Path) -> Path:
    """The same with its weights in two files and an index."""
    write_model(folder)
    (folder / "model.safetensors").unlink()
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    for name in names:
        save_file({name: np.zeros(3, dtype=np.float32)}, folder / name)
    index = {"metadata": {}, "weight_map": {name: name for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
