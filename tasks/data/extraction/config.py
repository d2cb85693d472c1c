"""What is asked of the extract stage: which rows, from where."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked


class ExtractConfig(Asked):
    """Rows with a text and a label, or files of code: from your own table, or from a SQL query over tables."""

    query: Path | None = Field(
        None,
        description="file with one SELECT in BigQuery's dialect; each file of `table` is a table by its name, and "
        "`bigquery-public-data.github_repos` is there without one. Its result needs a text and a label, and may have "
        "`split`, `group` and `row`",
        json_schema_extra={"key": "content", "often": True},
    )
    table: tuple[Path, ...] = Field(
        (),
        description="your rows: CSV or TSV, JSON lines (each plain or .gz), parquet, a folder of them (files named "
        "train, validation, test give the split), or a SQLite or DuckDB file, FILE::TABLE",
        # Its content is in the key, through the digest of the pinned sources.
        json_schema_extra={"key": "ignore", "often": True},
    )
    text_column: str | None = Field(
        None,
        min_length=1,
        description="column of the text; not given: `text`, or the one that is plainly it",
        json_schema_extra={"often": True},
    )
    label_column: str | None = Field(
        None,
        min_length=1,
        description="column of the label; not given: `label`, or the one that is plainly it",
        json_schema_extra={"often": True},
    )
    split_column: str | None = Field(
        None,
        min_length=1,
        description="column that says train, validation or test; not given: `split` where there is one",
        json_schema_extra={"often": True},
    )
    group_column: str | None = Field(
        None,
        min_length=1,
        description="rows of one group (a customer, a thread) stay in one split when it is made",
        json_schema_extra={"often": True},
    )
    parameters: dict[str, str | int | float | bool | tuple[str, ...]] = Field(
        {},
        description="values of the query's @parameters; defaults and types stand at the head of its file",
        json_schema_extra={"often": True},
    )
    max_bytes: int = Field(
        100_000_000_000,
        ge=1,
        description="cap in bytes on what is read, unpacked: above it nothing is run",
        json_schema_extra={"key": "ignore", "often": True},  # Whether it may run, not what it gives.
    )
    kind: Literal["labelled", "code"] = Field(
        "labelled",
        description="labelled: texts with labels; code: files of source code, for which the query gives `text`, `repo_name`, "
        "`path` and `license`",
        json_schema_extra={"key": "unless_default", "often": True},
    )
    dialect: Literal["bigquery"] = Field("bigquery", description="dialect of the query")
