"""What is asked of the student's tokenizer."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked


class TokenizerConfig(Asked):
    """The student's tokenizer: the base model's with fewer tokens, the base model's own, or a new one."""

    mode: Literal["trim", "keep", "train"] = Field(
        "trim",
        description="trim: the base model's WordPiece vocabulary cut to what the texts need (its embedding "
        "rows are kept); keep: the base model's whole vocabulary; train: a new one learned from the texts",
        json_schema_extra={"often": True},
    )
    vocabulary_size: int | None = Field(
        None,
        ge=16,
        description="tokens, special tokens included (trim and train; each costs one embedding row); "
        "default: chosen from the data, see docs/own-table.md",
        json_schema_extra={"often": True},
    )
    characters: Literal["scripts", "all"] = Field(
        "scripts",
        description="trim: single characters that are kept. scripts: digits, punctuation, symbols, Latin "
        "letters and those of every script in the training texts; all: every one of the base vocabulary "
        "(1,658 tokens of bert-base-uncased's)",
    )
    algorithm: Literal["bpe", "wordpiece"] = Field(
        "bpe",
        description="train: byte-level BPE (no text is unknown) or WordPiece (cut at blanks and punctuation)",
    )
    lowercase: bool = Field(True, description="train: upper and lower case are one")
    minimum_frequency: int = Field(
        2,
        ge=1,
        description="train: occurrences in the training texts that a pair needs to be merged into one token",
    )
