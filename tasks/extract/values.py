"""The values of the extract stage: what is planned, what was done, and whose data it is."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.errors import ConfigError

RECORD_FILE = "extract.json"
ATTRIBUTION_FILE = "attribution.json"


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Attribution(Value):
    """`attribution.json` beside tables: what their licence wants said wherever they are used."""

    title: str = Field(description="name of the data set")
    licence: str = Field(description="identifier of the licence as the Hub writes it, such as cc-by-3.0")
    attribution: str = Field(
        description="the sentence that the licence asks for: authors, title, where it was published"
    )
    url: str = Field(description="where the data set comes from")


class ExtractPlan(Value):
    """What an extraction would give and cost."""

    rows: int | None = Field(description="rows that come out; null where only a run could tell")
    bytes: int = Field(description="bytes read: whole files, or the query's columns uncompressed")
    notes: tuple[str, ...] = Field(description="what was noticed, one sentence each")


class SourceTable(Value):
    """A file that rows came from. Its place is not kept: the digest says which it was."""

    name: str = Field(description="file name, with #table for a table of a database")
    digest: str = Field(description="sha256 of the file")
    bytes: int
    title: str | None = Field(
        None, description="name of the data set, if attribution.json says so; likewise what follows"
    )
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None


class ExtractRecord(Value):
    """`extract.json` beside the rows."""

    query: str | None = Field(description="file name of the query; null for an own table")
    sql: str = Field(description="as asked; for an own table, the SELECT that says the same")
    sql_executed: str | None = Field(
        description="as the warehouse got it, after translation; null for an own table"
    )
    dialect: str
    parameters: dict[str, str | int | float | bool | tuple[str, ...]]
    columns: dict[str, str] = Field(description="column of the result -> column it was read from")
    rows: int
    bytes: int
    sources: tuple[SourceTable, ...]
    notes: tuple[str, ...] = Field(description="what was noticed and decided on the way, one sentence each")


def read_attribution(folder: Path) -> Attribution | None:
    """The attribution of the tables in a folder, if it says one. Raises ConfigError when it cannot be understood."""
    path = folder / ATTRIBUTION_FILE
    if not path.is_file():
        return None
    try:
        return Attribution.model_validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigError(
            f"{path}: {wrong}. Expected title, licence, attribution and url, all text. Correct it."
        ) from None
