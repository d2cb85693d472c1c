"""Reading a BERT-like encoder from a folder: everything must be there, nothing is silently made up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from infra.errors import ArtifactError
from tasks.formats.foreign_config import check_asks_for_no_code, read_object
from tasks.formats.rust_panics import panics_caught
from tasks.models.embedding_bag import BagOfTokens, BagOfTokensConfig
from tasks.models.sliced import slice_as_configured

# The one encoder of ours that transformers does not have: from here on it is read and made like any other.
AutoConfig.register(BagOfTokensConfig.model_type, BagOfTokensConfig)
AutoModel.register(BagOfTokensConfig, BagOfTokens)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and load reports of transformers: what they would say is checked here and raised."""
    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def without_pooler(body: PreTrainedModel) -> PreTrainedModel:
    """Drop the pooler over [CLS], which mean pooling never reads."""
    if getattr(body, "pooler", None) is not None:
        body.register_module("pooler", None)
    return body


def read_pretrained(auto: Any, folder: Path, **changed: object) -> tuple[PreTrainedModel, list[str]]:
    """Read the model in `folder` in float32 by one of transformers' auto classes, with `changed` fields of its config.

    Returns it with the names of the weights that it should have and the folder has not, sorted: transformers fills them with
    random numbers and only warns. Raises ArtifactError when the folder is damaged, or its config asks for code from elsewhere
    (tasks/formats/foreign_config.py).
    """
    if not (folder / "config.json").is_file():
        raise ArtifactError(
            f"{folder} has no config.json: expected a transformers encoder. Make or fetch it again."
        )
    check_asks_for_no_code(folder / "config.json", read_object(folder / "config.json"))
    try:
        with quiet_transformers(), panics_caught():
            model, found = auto.from_pretrained(
                folder,
                dtype="float32",
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                **changed,
            )
    except Exception as error:  # over a config.json that it has not written, transformers raises anything
        raise ArtifactError(
            f"{folder} cannot be read as an encoder ({type(error).__name__}: {error}). Expected config.json "
            "and model.safetensors of one model. Delete the folder and make or fetch it again."
        ) from error
    return model, sorted(found["missing_keys"])


def lacks(folder: Path, missing: Sequence[str]) -> ArtifactError:
    """What to raise where weights are missing."""
    return ArtifactError(
        f"{folder} lacks {len(missing)} weights of its own config.json, among them {missing[0]}. "
        "Expected every weight of the encoder. Delete the folder and make or fetch it again."
    )


def load_body(folder: Path) -> PreTrainedModel:
    """Read the encoder in `folder` in float32, without its pooler.

    Raises ArtifactError when it is damaged, lacks weights, or its config asks for code from elsewhere.
    """
    body, missing = read_pretrained(AutoModel, folder)
    if missing := [name for name in missing if not name.startswith("pooler.")]:
        raise lacks(folder, missing)
    return slice_as_configured(without_pooler(body))


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Read the tokenizer in `folder`; raises ArtifactError when it is missing or damaged."""
    try:
        with panics_caught():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # tokenizers raises a bare Exception for a file it cannot parse
        raise ArtifactError(
            f"{folder} has no tokenizer that can be read ({type(error).__name__}: {error}). "
            "Expected tokenizer.json and tokenizer_config.json. Make or fetch it again."
        ) from error


def longest_row(body: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a row may have. (RoBERTa's kin have two positions more than tokens; their tokenizers know.)"""
    return min(body.config.max_position_embeddings, tokenizer.model_max_length)
