"""Which files of a model's folder matter, and whether they are whole, found out without loading the model."""

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from infra.errors import ArtifactError
from tasks.formats.foreign_config import check_asks_for_no_code, read_object
from tasks.formats.rust_panics import RustPanic, panics_caught
from tasks.models.pretrained.entries import check_entries, is_plain_name

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
# transformers reads these too, where it knows their names: they are as large and as deep as JSON may be.
READ_AS_JSON = ("special_tokens_map.json", "added_tokens.json")
TOKENIZER_CONFIG = "tokenizer_config.json"
UNSAFE = ("pytorch_model.bin", "model.pt", "tf_model.h5", "flax_model.msgpack")
CONVERT = (
    "Convert it once: AutoModel.from_pretrained(FOLDER, trust_remote_code=False).save_pretrained(FOLDER), "
    "where you trust whoever made it"
)


def check_model_folder(folder: Path) -> tuple[Path, ...]:
    """Files of `folder` that matter, sorted.

    Raises ArtifactError when one is missing or damaged, lies elsewhere, or asks for code or files from elsewhere.
    """
    check_entries(folder)
    _check_config(folder / "config.json")
    weights = _weight_files(folder)
    for path in weights:
        check_safetensors(path)
    _check_tokenizer_settings(folder)
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
    """Raise ArtifactError for a file that safetensors does not open: cut short, longer than its header says, or no weights.

    It refuses a header above 100 MB before it reads any of it, and reads no weight.
    """
    try:
        with panics_caught(), safe_open(path, framework="numpy") as weights:
            fault = "" if list(weights.keys()) else "no tensors"
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected weights. Make it readable."
        ) from error
    except (SafetensorError, RustPanic) as error:
        fault = str(error)
    if fault:
        raise ArtifactError(
            f"{path} is damaged: it has {path.stat().st_size} bytes and this is wrong with them: {fault}. Expected whole "
            "safetensors weights. Fetch the model again."
        )


def _check_config(path: Path) -> None:
    if not path.is_file():
        raise ArtifactError(
            f"{path.parent} has no config.json: expected a folder saved by transformers. Check the path."
        )
    config = read_object(path)
    if not isinstance(config.get("model_type"), str):
        raise ArtifactError(
            f"{path} has no model_type: expected the config of a transformers model. Check the path."
        )
    check_asks_for_no_code(path, config)
    if (named := config.get("transformers_weights")) not in (None, WEIGHTS, INDEX):
        raise ArtifactError(
            f"{path} names {named!r} as its weights: expected {WEIGHTS} or {INDEX}, which are what is checked. Rename "
            "the file and delete the field."
        )


def _check_tokenizer_settings(folder: Path) -> None:
    for name in READ_AS_JSON:
        if (folder / name).is_file():
            read_object(folder / name)
    path = folder / TOKENIZER_CONFIG
    others = read_object(path).get("fast_tokenizer_files") if path.is_file() else None
    if others not in (None, [], [TOKENIZERS[0]]):
        raise ArtifactError(
            f"{path} names {others!r} as its tokenizers for other versions of transformers: expected {TOKENIZERS[0]} "
            "alone, which is what is checked. Delete the field."
        )


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise no_safetensors(str(folder), (path.name for path in folder.iterdir()))
    shards = read_object(folder / INDEX).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ArtifactError(
            f"{folder / INDEX} cannot be read (weight_map is {type(shards).__name__}): expected a weight_map of names "
            "to files. Fetch it again."
        )
    if wrong := [name for name in shards.values() if not is_plain_name(name)]:
        raise ArtifactError(
            f"{folder / INDEX} names {wrong[0]!r} as a file of weights: expected names of files in the same folder. "
            "Take another model."
        )
    names = sorted({str(name) for name in shards.values()})
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ArtifactError(
            f"{folder} lacks {missing[0]} of its {INDEX}: expected every shard. Fetch the model again."
        )
    return [folder / name for name in names]
