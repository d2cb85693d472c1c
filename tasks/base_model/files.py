"""Which files of a model's folder matter, and whether they are whole, found out without loading the model."""

import json
from collections.abc import Iterable
from pathlib import Path

from infra.errors import ArtifactError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)
# What decides the numbers that a model gives: no card, no licence, no second format of the same weights.
MATTER = (
    "config.json",
    INDEX,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]_*/config.json",
    "[0-9]_*/model.safetensors",
)
UNSAFE = ("pytorch_model.bin", "model.pt", "tf_model.h5", "flax_model.msgpack")
CONVERT = (
    "Convert it once: AutoModel.from_pretrained(FOLDER, trust_remote_code=False).save_pretrained(FOLDER), "
    "where you trust whoever made it"
)


def check_model_folder(folder: Path) -> tuple[Path, ...]:
    """Files of `folder` that matter, sorted. Raises ArtifactError when one is missing or damaged."""
    _check_config(folder / "config.json")
    weights = _weight_files(folder)
    for path in weights:
        check_safetensors(path)
    tokenizer = [folder / name for name in TOKENIZERS if (folder / name).is_file()]
    if not tokenizer:
        raise ArtifactError(
            f"{folder} has no tokenizer: expected one of {', '.join(TOKENIZERS)}. Save the model's tokenizer "
            "there: AutoTokenizer.from_pretrained(ID).save_pretrained(FOLDER)."
        )
    others = [path for pattern in MATTER for path in folder.glob(pattern) if path.is_file()]
    return tuple(sorted({*weights, *tokenizer, *others}))


def no_safetensors(place: str, names: Iterable[str]) -> ArtifactError:
    """The error for a model whose weights are missing, or in a format that can run code when read."""
    unsafe = sorted(name for name in names if name in UNSAFE)
    if unsafe:
        return ArtifactError(f"{place} has its weights only as {unsafe[0]}: expected {WEIGHTS}. {CONVERT}.")
    return ArtifactError(
        f"{place} has no weights: expected {WEIGHTS} (or its shards and {INDEX}). Fetch the model again."
    )


def check_safetensors(path: Path) -> None:
    """Compare a safetensors file's length with its header; raises ArtifactError when they differ.

    The layout: 8 bytes of header length (little endian), a JSON header with each tensor's `data_offsets`,
    data.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= path.stat().st_size else {}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}): expected weights. Make it readable."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        ends = []
    expected = 8 + length + max(ends, default=0)
    if not ends or path.stat().st_size != expected:
        size = f"{path.stat().st_size} bytes" + (
            f" instead of {expected}" if ends else " and no safetensors header"
        )
        raise ArtifactError(
            f"{path} is damaged: it has {size}. Expected whole safetensors weights. Fetch the model again."
        )


def _check_config(path: Path) -> None:
    if not path.is_file():
        raise ArtifactError(
            f"{path.parent} has no config.json: expected a folder saved by transformers. Check the path."
        )
    try:
        model_type = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected a JSON object. Fetch the model again."
        ) from error
    if not isinstance(model_type, str):
        raise ArtifactError(
            f"{path} has no model_type: expected the config of a transformers model. Check the path."
        )


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise no_safetensors(str(folder), (path.name for path in folder.iterdir()))
    try:
        names = sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{folder / INDEX} cannot be read ({error}): expected a weight_map. Fetch it again."
        ) from error
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ArtifactError(
            f"{folder} lacks {missing[0]} of its {INDEX}: expected every shard. Fetch the model again."
        )
    return [folder / name for name in names]
