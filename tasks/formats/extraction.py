"""The values of the extract stage: what is planned, what was done, and whose data it is."""

import re
from pathlib import Path

from pydantic import Field, HttpUrl, TypeAdapter, ValidationError, field_validator

from infra.errors import ConfigError
from tasks.formats.value import Value, read_value

RECORD_FILE = "extract.json"
PROVENANCE_FILE = "provenance.json"  # not of the artifact's digest: infra.store.record says so
ATTRIBUTION_FILE = "attribution.json"
# An identifier (cc-by-3.0), an expression (MIT OR Apache-2.0) or a name in words; no markup of any kind.
_LICENCE = re.compile(r"\(?\w[\w .,:;+/()'&-]{0,99}")
_ADDRESS: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


class Attribution(Value):
    """`attribution.json` beside tables: what their licence wants said wherever they are used."""

    title: str = Field(description="name of the data set")
    licence: str = Field(description="identifier of the licence as the Hub writes it, such as cc-by-3.0")
    attribution: str = Field(
        description="the sentence that the licence asks for: authors, title, where it was published"
    )
    url: str = Field(description="where the data set comes from, http or https")

    @field_validator("licence")
    @classmethod
    def _plain(cls, licence: str) -> str:
        if not _LICENCE.fullmatch(licence):
            raise ValueError(
                f"found {licence[:60]!r}, expected an identifier such as cc-by-3.0, or a name on one line of up to 100 "
                "letters, digits, blanks and . , : ; + / ( ) ' & -"
            )
        return licence

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, url: str) -> str:
        """Kept as it is written: it is part of the digest."""
        try:
            address = _ADDRESS.validate_python(url)
        except ValidationError as error:
            raise ValueError(
                f"found {url[:60]!r} ({error.errors()[0]['msg']}), expected http:// or https:// and a host"
            ) from None
        if address.username or address.password or not url.isprintable() or re.search(r"[\s<>\"`]", url):
            raise ValueError(
                "found a name, a password or a character that an address writes as %XX, expected http:// or https://, a "
                "host and a path"
            )
        return url


class ExtractPlan(Value):
    """What an extraction would give and cost."""

    rows: int | None = Field(description="rows that come out; null where only a run could tell")
    bytes: int = Field(description="bytes read: whole files, or the query's columns uncompressed")
    usd: float | None = Field(None, description="price in US dollars; null where nothing is paid")
    notes: tuple[str, ...] = Field(description="what was noticed, one sentence each")


class Source(Value):
    """A table that rows came from, as its licence wants it named: the same wherever the table lies."""

    name: str = Field(description="name in SQL; of an own table, the file's")
    title: str | None = Field(
        None, description="name of the data set, if attribution.json says so; likewise what follows"
    )
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None


class SourceTable(Source):
    """A file or a warehouse's table as it was pinned. A file's place is not kept: the digest says which it was."""

    name: str = Field(description="file name, with #table for a table of a database; or the warehouse's name")
    digest: str = Field(description="sha256 of the file; of a warehouse's table, of its name and last change")
    bytes: int
    snapshot: str | None = Field(
        None, description="moment since which a warehouse's table is as it was read; null for a file"
    )

    def named(self, name: str) -> Source:
        """What does not depend on where the table lies, under `name`."""
        return Source(name=name, **self.model_dump(include={"title", "licence", "attribution", "url"}))


class ExtractRecord(Value):
    """`extract.json` beside the rows: what was asked, and whose data it is. The same on every warehouse."""

    query: str | None = Field(description="file name of the query; null for an own table")
    sql: str = Field(description="as asked; for an own table, the SELECT that says the same")
    dialect: str
    parameters: dict[str, str | int | float | bool | tuple[str, ...]]
    columns: dict[str, str] = Field(description="column of the result -> column it was read from")
    rows: int
    sources: tuple[Source, ...]


class Provenance(Value):
    """`provenance.json` beside the rows: how they were come by. Two ways to the same rows give the same artifact."""

    sql_executed: str = Field(description="as the warehouse got it, after translation")
    job: str | None = Field(None, description="the warehouse's job; null where there are none")
    bytes: int = Field(description="bytes read, as planned")
    bytes_billed: int | None = None
    sources: tuple[SourceTable, ...]
    notes: tuple[str, ...] = Field(description="what was noticed and decided on the way, one sentence each")


def read_record(extract: Path) -> ExtractRecord:
    """Read `extract.json` of an extract; raises ArtifactError when it is not there."""
    return read_value(extract / RECORD_FILE, ExtractRecord, "an extract. Run extract again.")


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
