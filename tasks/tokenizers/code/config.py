"""What is asked of a tokenizer of code."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.formats.code_tokens import SPECIAL_TOKENS

BYTES = 256
Words = Literal["code", "gpt2"]


class CodeTokenizerConfig(Asked):
    """A byte-level BPE tokenizer learned from a corpus of code."""

    vocabulary_size: int = Field(
        32_768,
        ge=len(SPECIAL_TOKENS) + BYTES,
        le=1_000_000,
        description="tokens, special tokens and the 256 bytes included; each costs a row of the model's embedding. A multiple "
        "of 8 suits a GPU's matrix units",
        json_schema_extra={"often": True},
    )
    words: Words = Field(
        "code",
        description="what tokens may not reach across. code: a word keeps the mark before it (`.name`, `_name`, `(name`), and "
        "a digit is a token; gpt2: GPT-2's pattern, where only a blank goes with the word. docs/code-tokenizer.md has both "
        "measured",
    )
    minimum_frequency: int = Field(
        2, ge=1, description="occurrences in the sample that a pair needs to become a token"
    )
    most_bytes: int = Field(
        200_000_000,
        ge=1_000,
        description="bytes of text (UTF-8) that are learned from at most: whole files, picked evenly over the training split. "
        "It bounds the memory of the training",
    )
    seed: int = Field(0, ge=0, description="which files are picked, where not all are")


class MeasureCodeTokenizerConfig(Asked):
    """How tokenizers of code are measured."""

    most_bytes: int = Field(
        2_000_000,
        ge=1,
        description="bytes of text (UTF-8) that are measured of each group at least, where it has as many: the files of the "
        "test split, and each repository that is held out whole",
    )
    typo_rate: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of words of four letters or more with a slip, when typos are measured",
    )
    seed: int = Field(0, ge=0, description="where the slips are")
