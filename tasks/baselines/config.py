"""What is asked of the baselines: TF-IDF in its strong form, which stands in every table, and fastText."""

from typing import Annotated

from pydantic import Field, model_validator

from tasks.formats.asked import Asked

ExpectedShare = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="share of out-of-scope texts in traffic; unset: their share of validation",
    ),
]


class BaselineConfig(Asked):
    """TF-IDF of words and characters with logistic regression, one class against the rest."""

    words: tuple[int, int] = Field(
        (1, 2), description="shortest and longest run of words that is a term, at least 1"
    )
    characters: tuple[int, int] = Field(
        (2, 5), description="shortest and longest piece of a word that is a term, in characters, at least 1"
    )
    minimum_rows: int = Field(1, ge=1, description="training rows that a term must stand in")
    maximum_terms: int = Field(
        100_000, ge=100, description="commonest terms kept, of words and of characters each"
    )
    text_characters: int = Field(1_000, ge=1, description="characters that a text is cut to")
    inverse_regularization: float = Field(
        30.0, gt=0, description="C of the logistic regression; higher fits closer"
    )
    tolerance: float = Field(0.1, gt=0, lt=1, description="stopping tolerance of liblinear's dual solver")
    expected_share: ExpectedShare = None
    seed: int = Field(0, ge=0, lt=2**31, description="order in which the solver visits the rows")

    @model_validator(mode="after")
    def _ranges_are_in_order(self) -> "BaselineConfig":
        for name, (low, high) in (("words", self.words), ("characters", self.characters)):
            if not 1 <= low <= high:
                raise ValueError(
                    f"{name} is {low}, {high}: expected two lengths, 1 or more, the shorter first"
                )
        return self


class FastTextConfig(Asked):
    """fastText, plain or quantized. The defaults are what did best on CLINC150."""

    dimensions: int = Field(50, ge=1, le=4_096, description="length of a vector")
    epochs: int = Field(50, ge=1, le=10_000, description="passes over the training rows")
    learning_rate: float = Field(1.0, gt=0, le=10, description="rate of the first step; it falls to zero")
    words: int = Field(2, ge=1, le=10, description="longest run of words with a vector, in words")
    characters: tuple[int, int] = Field(
        (3, 5), description="shortest and longest piece of a word with a vector, in characters; 0, 0: none"
    )
    buckets: int = Field(50_000, ge=1, description="rows that runs and pieces are hashed into")
    quantized: bool = Field(False, description="product codes instead of numbers: a twentieth of the size")
    kept_rows: int = Field(20_000, ge=1, description="rows of the table that a quantized model keeps")
    expected_share: ExpectedShare = None
    seed: int = Field(0, ge=0, lt=2**31, description="order of the rows, and fastText's own")
