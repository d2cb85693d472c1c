"""What is asked of the size passes: how many tokens, how wide their embeddings, how many positions."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked


class SizeConfig(Asked):
    """Cuts of a trained model that need no training. Most of a small student is embeddings."""

    vocabulary_size: int | None = Field(
        None, ge=16, description="tokens kept, special tokens included; unset: all of them"
    )
    characters: Literal["scripts", "all"] = Field(
        "scripts", description="single characters that are kept, as in the tokenizer's `characters`"
    )
    max_length: int | None = Field(
        None, ge=8, le=512, description="tokens a text is cut to, and positions kept; unset: as it is"
    )
    embedding_rank: int | None = Field(
        None,
        ge=1,
        description="width that the word embeddings are factorised to, below the model's own; unset: whole",
    )
    count_tokens: bool = Field(
        True,
        description="factorise so that the tokens frequent in the training texts are kept best; "
        "false: all tokens alike",
    )
