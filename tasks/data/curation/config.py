"""What is asked of curation and of publishing a data set."""

from pathlib import Path

from pydantic import Field, model_validator

from tasks.formats.asked import Asked

AUTO = "auto"


class CurateConfig(Asked):
    """Which rows are kept, what is changed in them, and how they are split."""

    min_characters: int = Field(2, ge=1, description="shortest text kept, in characters")
    max_characters: int = Field(20_000, ge=1, description="longest text kept, in characters")
    min_words: int = Field(1, ge=1, description="fewest blank-separated words of a text kept")
    max_words: int = Field(4_000, ge=1, description="most blank-separated words of a text kept")
    min_letter_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="smallest share of letters, marks and digits (of any script) in a text kept",
    )
    max_unreadable_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="largest share of U+FFFD and private-use characters (a wrong encoding) kept",
    )
    redact: bool = Field(
        True,
        description="replace secrets and e-mail addresses in texts by <SECRET> and <EMAIL>",
        json_schema_extra={"often": True},
    )
    allow_secret_labels: bool = Field(
        False,
        description="take labels that hold a secret or an e-mail address; they are published as they are, with the data "
        "set and the model",
        json_schema_extra={"key": "unless_default"},
    )
    min_rows_per_label: int = Field(
        5,
        ge=1,
        description="labels with fewer rows (in train, or in all when the split is made here) are dropped",
        json_schema_extra={"often": True},
    )
    near_duplicate_threshold: float | None = Field(
        0.95,
        ge=0.5,
        le=1,
        description="Jaccard similarity of character 5-grams from which two texts of a label and split are "
        "one; off keeps both. High on purpose: short queries that differ in a word are worth training on",
        json_schema_extra={"often": True, "off": True},
    )
    leakage_threshold: float = Field(
        0.9,
        ge=0.5,
        le=1,
        description="the same similarity, from which a text may not be on both sides of a split",
    )
    out_of_scope_label: str | None = Field(
        AUTO,
        description="label of what the model does not serve; auto: oos or out_of_scope; off: none",
        json_schema_extra={"often": True, "off": True},
    )
    test_share: float = Field(
        0.1,
        gt=0,
        le=0.4,
        description="share of rows for test, when there is no test split",
        json_schema_extra={"often": True},
    )
    validation_share: float = Field(
        0.1,
        gt=0,
        le=0.4,
        description="share of the rows that are split for validation, when there is none",
        json_schema_extra={"often": True},
    )
    rows_per_shard: int = Field(500_000, ge=1, description="most rows of one parquet file")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the split")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "CurateConfig":
        for unit in ("characters", "words"):
            low, high = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if low > high:
                raise ValueError(
                    f"min_{unit} is {low} and max_{unit} {high}: expected min <= max. Raise max_{unit}."
                )
        return self


class CurateCodeConfig(Asked):
    """Which files of code are kept, what is changed in them, and how they are split."""

    parse_seconds: int = Field(10, ge=1, description="most CPU seconds for the syntax of one file")
    generated_lines: int = Field(
        10, ge=1, description="first lines that are searched for what tools write (`DO NOT EDIT`)"
    )
    max_line_characters: int = Field(1_000, ge=1, description="longest line of a file kept, in characters")
    max_mean_line_characters: float = Field(
        100, gt=0, description="longest mean line of a file kept, in characters"
    )
    min_word_share: float = Field(
        0.25,
        ge=0,
        le=1,
        description="smallest share of letters, digits and _ in a file kept, blanks left out",
    )
    max_number_share: float = Field(
        0.3, ge=0, le=1, description="largest share of numbers and hexadecimal digits in a file kept"
    )
    redact: bool = Field(True, description="replace secrets and e-mail addresses by <SECRET> and <EMAIL>")
    near_duplicate_threshold: float | None = Field(
        0.85,
        ge=0.5,
        le=1,
        description="Jaccard similarity of the sets of words from which two files are one, in whatever repositories; "
        "off keeps both",
        json_schema_extra={"off": True},
    )
    validation_share: float = Field(
        0.05,
        ge=0,
        le=0.4,
        description="share of files for validation, in whole repositories; 0: no such split",
    )
    test_share: float = Field(0.05, ge=0, le=0.4, description="the same for test")
    held_out: tuple[str, ...] = Field(
        (),
        description="repositories (owner/name) that are in test as a whole; with any, or a file_share, the two shares of "
        "whole repositories above do not count",
        json_schema_extra={"often": True},
    )
    file_share: float = Field(
        0,
        ge=0,
        le=0.4,
        description="share of the other repositories' files for test, and the same again for validation",
        json_schema_extra={"often": True},
    )
    decontaminate: tuple[Path, ...] = Field(
        (),
        description="problems that models are evaluated on (JSON lines, .gz or not, with prompt, canonical_solution and "
        "test, as HumanEval): files of train and validation that share words with one are dropped",
        json_schema_extra={"key": "content"},
    )
    decontaminate_ngram: int = Field(
        10, ge=5, description="words in a row that a file must share with a problem to be dropped"
    )
    rows_per_shard: int = Field(50_000, ge=1, description="most files of code in one parquet file")
    workers: int | None = Field(
        None,
        ge=1,
        description="processes that judge files; unset: one for each core, eight at most",
        json_schema_extra={"key": "ignore"},
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the split")
