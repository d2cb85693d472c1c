"""What is asked of packing: how texts become blocks of tokens."""

from pydantic import Field, model_validator

from tasks.formats.asked import Asked


class PackConfig(Asked):
    """Texts tokenized whole, put one after the other and cut into blocks."""

    length: int = Field(
        128,
        ge=8,
        le=65_536,
        description="tokens of a block; at most the model's positions",
        json_schema_extra={"often": True},
    )
    words: bool = Field(
        True,
        description="keep which tokens start a word, for masks of whole words; without, tokenizing is a tenth faster",
    )
    text_column: str = Field(
        "text", min_length=1, description="column of the text", json_schema_extra={"often": True}
    )
    split_column: str | None = Field(
        None,
        min_length=1,
        description="column that says train, validation or test; not given: the files' names say it, and others are train",
        json_schema_extra={"often": True},
    )
    validation_share: float = Field(
        0.05,
        ge=0,
        le=0.4,
        description="share of the documents of train that are set aside for validation where the tables have no such split; "
        "0: none. A data set's own splits stay",
    )
    test_share: float = Field(0.05, ge=0, le=0.4, description="the same for test")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the splits that are made")
    batch_characters: int = Field(
        1_000_000,
        ge=1,
        description="characters that are tokenized at once; each takes some 100 bytes of memory meanwhile",
        json_schema_extra={"key": "ignore"},
    )

    @model_validator(mode="after")
    def _something_is_left(self) -> "PackConfig":
        if self.validation_share + self.test_share > 0.5:
            raise ValueError(
                f"validation_share is {self.validation_share} and test_share {self.test_share}: expected 0.5 in all at most. "
                "Lower one."
            )
        return self


class PackCorpusConfig(Asked):
    """Files of code tokenized whole: what is said of each, its text, and the token that ends it, one file after the other."""

    quality: bool = Field(
        True,
        description="put the token of a file's quality before it, so that quality can be asked for at generation",
        json_schema_extra={"often": True},
    )
    batch_characters: int = Field(
        4_000_000,
        ge=1,
        description="characters that are tokenized at once; each takes some 100 bytes of memory meanwhile",
        json_schema_extra={"key": "ignore"},
    )
