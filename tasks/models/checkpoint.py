"""The files of a checkpoint: a transformers body at the root, sentence-transformers' modules beside it.

So it opens without this project: `AutoModel.from_pretrained(folder)` gives the body, and
`SentenceTransformer(folder).encode(texts)` the logits (the head is their Dense module with identity
activation).
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import ArtifactError, StoreError
from tasks.formats.checkpoint import CLASSIFIER_FILE, CheckpointInfo
from tasks.models.loading import quiet_transformers
from tasks.models.sliced import is_sliced, whole_weights

DENSE = "3_Dense"
# The class paths of sentence-transformers 2 to 6; later versions translate them to where the classes moved.
MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"), (DENSE, "Dense"))


def read_dense(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Head's weight float [labels, hidden] and bias float [labels]; raises ArtifactError when damaged."""
    path = folder / DENSE / "model.safetensors"
    try:
        tensors = load_file(path)
        return tensors["linear.weight"], tensors["linear.bias"]
    except (OSError, KeyError, SafetensorError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected the head's linear.weight and "
            "linear.bias. Train the model again."
        ) from error


def write_modules(
    folder: Path,
    body: PreTrainedModel,
    head: nn.Linear,
    tokenizer: PreTrainedTokenizerBase,
    info: CheckpointInfo,
) -> None:
    """Write all files of a checkpoint; raises StoreError when the disk does not take them."""
    try:
        _write_body(folder, body, tokenizer, info)
        _write_head(folder, head)
        _write_json(folder / CLASSIFIER_FILE, info.model_dump(mode="json"))
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"the checkpoint could not be written to {folder} ({error}). Free some space or make the "
            "folder writable, then run again."
        ) from error


def _write_body(
    folder: Path, body: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, info: CheckpointInfo
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    body.config.id2label = dict(enumerate(info.labels))
    body.config.label2id = {name: i for i, name in enumerate(info.labels)}
    with quiet_transformers():
        body.save_pretrained(folder, state_dict=whole_weights(body) if is_sliced(body) else None)
    tokenizer.model_max_length = info.max_length
    tokenizer.save_pretrained(folder)


def _write_head(folder: Path, head: nn.Linear) -> None:
    hidden, labels = head.in_features, head.out_features
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(MODULES)
    ]
    for path, _ in MODULES[1:]:
        (folder / path).mkdir(exist_ok=True)
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"do_lower_case": False})
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"pooling_mode_mean_tokens": True, "word_embedding_dimension": hidden},
    )
    _write_json(folder / "2_Normalize" / "config.json", {})
    activation = "torch.nn.modules.linear.Identity"
    dense = {"activation_function": activation, "bias": True, "in_features": hidden, "out_features": labels}
    _write_json(folder / DENSE / "config.json", dense)
    weights = {
        "linear.bias": head.bias.detach().contiguous(),
        "linear.weight": head.weight.detach().contiguous(),
    }
    save_file(weights, folder / DENSE / "model.safetensors")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
