"""A tokenizer's folder: the base model's is read, ours written, for AutoTokenizer and `tokenizers` alike."""

import json
import math
from pathlib import Path

from pydantic import JsonValue
from tokenizers import Tokenizer

from infra.errors import ArtifactError
from tasks.formats.foreign_config import read_object
from tasks.formats.model_files import TOKENIZER_FILES
from tasks.formats.rust_panics import panics_caught

TOKENIZER_FILE, SETTINGS_FILE, SPECIAL_FILE = TOKENIZER_FILES
SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")
# What AutoTokenizer needs to rebuild the same tokenizer; the rest is the history of the file, or padding and
# truncation, which are the caller's.
KEPT_SETTINGS = ("tokenizer_class", "do_lower_case", "strip_accents", "tokenize_chinese_chars", *SPECIAL)
ANY_TOKENIZER = "PreTrainedTokenizerFast"
DEFAULT_LENGTH = 512

Settings = dict[str, JsonValue]


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder, without padding and truncation; raises ArtifactError for none.

    A folder that has only a slow tokenizer's files (vocab.txt) is converted by transformers.
    """
    path = folder / TOKENIZER_FILE
    try:
        with panics_caught():
            tokenizer = Tokenizer.from_file(str(path)) if path.is_file() else _converted(folder)
    except Exception as error:  # tokenizers raises a bare Exception for a file it cannot parse
        raise ArtifactError(
            f"{folder} has no tokenizer that can be read ({type(error).__name__}: {error}). "
            f"Expected {TOKENIZER_FILE}. Fetch or save the model's tokenizer again."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def read_settings(folder: Path) -> Settings:
    """What of the base model's tokenizer_config.json still holds for a tokenizer derived from it."""
    found: Settings = {"tokenizer_class": ANY_TOKENIZER}
    for name in (SPECIAL_FILE, SETTINGS_FILE):
        values = _read_json(folder / name)
        found |= {key: _content(values[key]) for key in KEPT_SETTINGS if values.get(key) is not None}
    return found | {"model_max_length": max_length(folder)}


def max_length(folder: Path) -> int:
    """Tokens that a text may have: the model's positions, or the tokenizer's limit where it is smaller."""
    positions = _read_json(folder / "config.json").get("max_position_embeddings")
    asked = _read_json(folder / SETTINGS_FILE).get("model_max_length")
    limits = [
        int(value) for value in (positions, asked) if isinstance(value, int | float) and 0 < value < math.inf
    ]
    return min(limits, default=DEFAULT_LENGTH)


def write_tokenizer(folder: Path, tokenizer: Tokenizer, settings: Settings) -> None:
    """Write tokenizer.json and tokenizer_config.json. Token types are left out: one text is one segment."""
    tokenizer.save(str(folder / TOKENIZER_FILE))
    whole = settings | {"model_input_names": ["input_ids", "attention_mask"]}
    (folder / SETTINGS_FILE).write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _converted(folder: Path) -> Tokenizer:
    # transformers takes seconds to import, and is needed only for old folders.
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return Tokenizer.from_str(loaded.backend_tokenizer.to_str())


def _read_json(path: Path) -> Settings:
    return read_object(path) if path.is_file() else {}


def _content(value: JsonValue) -> JsonValue:
    """A special token given as an AddedToken's fields is its text."""
    return value["content"] if isinstance(value, dict) and "content" in value else value
