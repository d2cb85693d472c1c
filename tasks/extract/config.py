"""What is asked of the extract stage: which rows, from where."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ExtractConfig(BaseModel):
    """Rows with a text and a label, or files of code: from your own table, or from a SQL query over tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: Path | None = Field(
        None,
        description="file with one SELECT in BigQuery's dialect; each file of `table` is a table by its name, and "
        "`bigquery-public-data.github_repos` is there without one. Its result needs a text and a label, and may have "
        "`split`, `group`, `weight` (how much commoner such a row is in real traffic) and `row`",
        json_schema_extra={"key": "content"},
    )
    table: tuple[Path, ...] = Field(
        (),
        description="your rows: CSV or TSV, JSON lines (each plain or .gz), parquet, a folder of them (files named "
        "train, validation, test give the split), or a SQLite or DuckDB file, FILE::TABLE",
        json_schema_extra={
            "key": "ignore"
        },  # Its content is in the key, through the digest of the pinned sources.
    )
    text_column: str | None = Field(
        None, min_length=1, description="column of the text; not given: `text`, or the one that is plainly it"
    )
    label_column: str | None = Field(
        None,
        min_length=1,
        description="column of the label; not given: `label`, or the one that is plainly it",
    )
    split_column: str | None = Field(
        None,
        min_length=1,
        description="column that says train, validation or test; not given: `split` where there is one",
    )
    group_column: str | None = Field(
        None,
        min_length=1,
        description="rows of one group (a customer, a thread) stay in one split when it is made",
    )
    parameters: dict[str, str | int | float | bool | tuple[str, ...]] = Field(
        {}, description="values of the query's @parameters; defaults and types stand at the head of its file"
    )
    max_bytes: int = Field(
        100_000_000_000,
        ge=1,
        description="cap in bytes on what is read, unpacked: above it nothing is run",
        json_schema_extra={"key": "ignore"},  # Whether it may run, not what it gives.
    )
    kind: Literal["labelled", "code"] = Field(
        "labelled",
        description="labelled: texts with labels; code: files of source code, for which the query gives `text`, `repo_name`, "
        "`path` and `license`",
        json_schema_extra={"key": "unless_default"},
    )
    dialect: Literal["bigquery"] = Field("bigquery", description="dialect of the query")
