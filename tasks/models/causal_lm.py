"""Reading a causal language model and its tokenizer from a folder, as they are asked for text."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import ArtifactError
from tasks.formats.code_tokens import QUALITIES, quality_token
from tasks.models.architecture import ARCHITECTURES
from tasks.models.loading import lacks, load_tokenizer, read_pretrained


def load_causal_lm(folder: Path) -> PreTrainedModel:
    """Read the model in `folder` in float32, in evaluation mode: safetensors alone, nothing fetched, no code run.

    What its generation_config.json says of sampling is left out: who asks for text says how.

    Raises ArtifactError when it is damaged, lacks weights, reads text from both sides, or its config asks for code from
    elsewhere.
    """
    model, missing = read_pretrained(AutoModelForCausalLM, folder)
    kind = model.config.model_type
    # transformers makes a causal model of an encoder's weights, which were never trained to be one.
    if kind in ARCHITECTURES and not getattr(model.config, "is_decoder", False):
        raise ArtifactError(
            f"{folder} is a {kind}, which reads text from both sides: expected a causal language model, such as GPT-2. Take "
            "another model."
        )
    if missing:
        raise lacks(folder, missing)
    model.generation_config = GenerationConfig()
    return model.eval()


def load_text_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Read the tokenizer in `folder` so that text is text: what looks like a special token in it becomes its letters' tokens.

    Special tokens are put beside it as ids. Raises ArtifactError when it is missing or damaged, or is not a fast one.
    """
    tokenizer = load_tokenizer(folder)
    if not tokenizer.is_fast:
        raise ArtifactError(
            f"{folder} has a slow tokenizer: expected tokenizer.json. Save it once as a fast one: "
            "AutoTokenizer.from_pretrained(FOLDER, use_fast=True).save_pretrained(FOLDER)."
        )
    tokenizer.backend_tokenizer.encode_special_tokens = True
    return tokenizer


def quality_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Ids of the quality tokens that a tokenizer has, by quality; none for a model that was trained without."""
    vocabulary = tokenizer.get_vocab()
    found = {quality: vocabulary.get(quality_token(quality)) for quality in QUALITIES}
    return {quality: number for quality, number in found.items() if number is not None}


def ids_of_text(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> list[list[int]]:
    """Tokens of each text without any special one."""
    encoded = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [row.ids for row in encoded]


def text_of(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """The text that tokens stand for, to the character: no blank is taken away before a comma."""
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
