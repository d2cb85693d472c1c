"""Package: the files that a user needs, laid out as the Hub's tools expect an ONNX model."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from infra.errors import ArtifactError
from tasks.formats.onnx_folder import read_tokenizer, write_file
from tasks.formats.out_of_scope import OutOfScopeRule

MODEL_FILE = "onnx/model_quantized.onnx"
FILES = {"model.onnx": MODEL_FILE, "config.json": "config.json", "tokenizer.json": "tokenizer.json"}
SETTINGS_FILE = "tokenizer_config.json"
RELEASED = (*FILES.values(), SETTINGS_FILE)


@dataclass(frozen=True)
class ReleasedModel:
    """What a release's own files say of it."""

    labels: tuple[str, ...]
    max_length: int
    out_of_scope: OutOfScopeRule | None
    temperature: float
    sha256: str


def package_model(model: Path, target: Path) -> dict[str, float]:
    """Copy a quantized ONNX artifact into the layout of a release, byte for byte; returns its size.

    Beside its files stands `tokenizer_config.json`, from which transformers, Optimum and transformers.js take where a text
    is cut and how a batch is padded. Raises ArtifactError when the artifact lacks one of the three files, has its weights
    outside the graph, or a tokenizer that neither cuts nor pads.
    """
    missing = [name for name in FILES if not (model / name).is_file()]
    if missing:
        raise ArtifactError(
            f"{model} lacks {', '.join(missing)}: expected {', '.join(FILES)}. Quantize again."
        )
    beside = sorted(path.name for path in model.glob("*.onnx.data*"))
    if beside:
        raise ArtifactError(
            f"{model} keeps weights in {beside}: expected one self-contained file. Export again."
        )
    for source, name in FILES.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model / source, target / name)
    settings = json.dumps(tokenizer_settings(model), indent=2, sort_keys=True) + "\n"
    write_file(target / SETTINGS_FILE, settings.encode())
    size = sum((target / name).stat().st_size for name in RELEASED)
    return {"size_mb": size / 1e6, "model_mb": (target / MODEL_FILE).stat().st_size / 1e6}


def tokenizer_settings(folder: Path) -> dict[str, JsonValue]:
    """`tokenizer_config.json`: how to read the `tokenizer.json` in `folder` as it is, and what transformers leaves out of it.

    The class is the one that takes the file for what it says: one of an architecture would build it anew from its words.
    """
    tokenizer = json.loads(read_tokenizer(folder).to_str())
    unknown = tokenizer["model"].get("unk_token")
    return {
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": tokenizer["truncation"]["max_length"],
        "pad_token": tokenizer["padding"]["pad_token"],
        "tokenizer_class": "PreTrainedTokenizerFast",
        **({"unk_token": unknown} if unknown else {}),
    }


def read_package(folder: Path) -> ReleasedModel:
    """What a packaged model answers and how. Raises ArtifactError when `config.json` does not say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names, rule = config["id2label"], config["out_of_scope"]
        return ReleasedModel(
            labels=tuple(names[str(i)] for i in range(len(names))),
            max_length=int(config["max_length"]),
            out_of_scope=None if rule is None else OutOfScopeRule.model_validate(rule),
            temperature=float(config["temperature"]),
            sha256=hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest(),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{folder} is not a package ({type(error).__name__}: {error}): expected {MODEL_FILE} and "
            "a config.json with id2label, max_length, out_of_scope and temperature. Run package again."
        ) from error
