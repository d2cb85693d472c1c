"""Which files the rows come from, and the digest that pins them."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlparse

from infra.errors import ConfigError, DataError
from tasks.data.extraction.databases import database_kind, table_names
from tasks.formats.extraction import ATTRIBUTION_FILE, SourceTable, read_attribution
from tasks.formats.kinds import SourceRef

Format = Literal["csv", "jsonl", "parquet", "sqlite", "duckdb"]
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
DATABASES = (".sqlite", ".sqlite3", ".db", ".duckdb", ".ddb")
READABLE = "CSV, TSV or JSON lines (plain or .gz), parquet, SQLite or DuckDB"
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class SourceFile:
    """One table: a file, or a table inside of a database file."""

    path: Path
    format: Format
    table: str | None = None

    @property
    def name(self) -> str:
        """File name, with #table for a table of a database."""
        return self.path.name + (f"#{self.table}" if self.table else "")

    @property
    def spec(self) -> Path:
        """How it is named on the command line: FILE, or FILE::TABLE."""
        return Path(f"{self.path}::{self.table}") if self.table else self.path

    @property
    def sql_name(self) -> str:
        """The name that a query gives the table: the file's without suffixes, what SQL cannot say as `_`."""
        stem = self.table or self.path.name.removesuffix(".gz").rsplit(".", 1)[0]
        word = re.sub(r"\W", "_", stem, flags=re.ASCII)
        return f"_{word}" if word[:1].isdigit() else word

    @property
    def split(self) -> str | None:
        """train, validation or test where the file's name begins so (`train.csv`, `test-00000-of-00001.parquet`)."""
        return SPLIT_NAMES.get(re.split(r"[^a-z]", self.path.name.lower())[0])


@dataclass(frozen=True)
class SourceTables:
    """Pinned tables, in an order that depends on nothing but their names and content."""

    files: tuple[SourceFile, ...]
    described: tuple[SourceTable, ...]
    specs: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """sha256 over the sorted names, digests and attributions of the tables: the same wherever they lie."""
        return tables_digest(self.described)

    @property
    def uri(self) -> str:
        """Where they lie: `file:///a.csv;file:///b.sqlite#tickets`."""
        return ";".join(_to_uri(spec) for spec in self.specs)

    @property
    def bytes(self) -> int:
        """Bytes of all files, each counted once."""
        return sum(
            {file.path: table.bytes for file, table in zip(self.files, self.described, strict=True)}.values()
        )


def tables_digest(tables: Sequence[SourceTable]) -> str:
    """sha256 over the sorted names, digests and attributions of tables."""
    lines = sorted(table.model_dump_json(exclude={"snapshot"}) for table in tables)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def pin(specs: Sequence[Path], query: Path | None = None) -> SourceTables:
    """Find the tables that `specs` name and digest each one's content.

    A table's attribution lies in its own folder, or in the query's.
    Raises ConfigError for what is not there or not of a known kind, DataError for a file that cannot be read.
    """
    absolute = tuple(
        Path(f"{_resolve(path)}::{table}" if table else _resolve(path)) for path, table in map(_parts, specs)
    )
    files = [file for spec in absolute for file in _expand(spec)]
    digests = {path: _digest(path) for path in {file.path for file in files}}
    ordered = sorted(set(files), key=lambda file: (file.name, digests[file.path]))
    return SourceTables(
        tuple(ordered), tuple(_describe(file, digests[file.path], query) for file in ordered), absolute
    )


def specs_of(uri: str) -> tuple[Path, ...]:
    """What `SourceTables.uri` says, as paths to pin again."""
    return tuple(_from_uri(part) for part in uri.split(";"))


def found_again(query: Path | None, ref: SourceRef) -> SourceTables:
    """The files of a reference. Raises DataError when they changed since they were pinned."""
    sources = pin(specs_of(ref.uri), query)
    if sources.digest != ref.digest:
        raise changed(ref)
    return sources


def changed(ref: SourceRef) -> DataError:
    """What to say of tables that are not the pinned ones."""
    return DataError(
        f"{ref.uri} changed since this run began: expected tables that nobody writes to. Run again."
    )


def _expand(spec: Path) -> list[SourceFile]:
    path, table = _parts(spec)
    if not path.exists():
        raise ConfigError(
            f"{path} does not exist: expected {READABLE}, or a folder of such files. Correct --extract.table (of general text "
            "--general.table); where a recipe names it, put there what its head says."
        )
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise ConfigError(
            f"{path} is a pipe, a socket or a device: expected a file, which can be read more than once. Write what comes "
            "out of it to a file, and give that."
        )
    if any("\ud800" <= character <= "\udfff" for character in path.name):
        raise ConfigError(
            f"{path} has a name that is not UTF-8: expected one that can be written down. Rename the file."
        )
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in DATABASES:
        return _database_tables(path, table)
    if table:
        raise ConfigError(
            f"{spec}: only SQLite and DuckDB files have tables inside (FILE::TABLE). Give {path} alone."
        )
    if suffix not in FORMATS:
        raise ConfigError(
            f"{path} is not a table that is known: expected {READABLE}. Save it as one of these (CSV in UTF-8)."
        )
    return [SourceFile(path, FORMATS[suffix])]


def _of_folder(folder: Path) -> list[SourceFile]:
    tables = [child for child in sorted(folder.iterdir()) if _is_table(child)]
    if not tables:
        raise ConfigError(
            f"the folder {folder} holds no table: expected files in {READABLE}. Correct --extract.table."
        )
    for child in tables:
        if not (target := child.resolve()).is_relative_to(folder):
            raise ConfigError(
                f"{child} is a link to {target}, outside of the folder that was given: expected files that lie in it. Copy "
                "that file there, or give it by its own path."
            )
    return [file for child in tables for file in _expand(child)]


def _is_table(path: Path) -> bool:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    own = path.name.startswith(".") or path.name == ATTRIBUTION_FILE
    return path.exists() and not path.is_dir() and not own and (suffix in FORMATS or suffix in DATABASES)


def _database_tables(path: Path, table: str | None) -> list[SourceFile]:
    """The table that was named; otherwise all, and no view: it is computed, and may have no end."""
    kind, (names, views) = database_kind(path), table_names(path)
    if table is not None and table not in (*names, *views):
        raise ConfigError(
            f"{path.name} has no table {table!r}: it has {', '.join([*names, *views]) or 'none'}. Correct the name after ::."
        )
    if table is None and not names:
        instead = (
            f"Name one of its views, as FILE::VIEW: {', '.join(views)}." if views else "Give another file."
        )
        raise DataError(f"{path.name} has no table: expected one with a text and a label. {instead}")
    return [SourceFile(path, kind, name) for name in ([table] if table else names)]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): expected a readable file. Check its rights."
        ) from None


def _describe(file: SourceFile, digest: str, query: Path | None) -> SourceTable:
    known = read_attribution(file.path.parent) or (query and read_attribution(query.parent))
    said = known.model_dump() if known else {}
    return SourceTable(name=file.name, digest=digest, bytes=file.path.stat().st_size, **said)


def _parts(spec: Path) -> tuple[Path, str | None]:
    """FILE::TABLE in its parts. Both names may hold :: too: the file is the shortest that there is."""
    pieces = str(spec).split("::")
    if len(pieces) == 1 or _is_there(spec):
        return spec, None
    cuts = [("::".join(pieces[:i]), "::".join(pieces[i:])) for i in range(1, len(pieces))]
    path, table = next((cut for cut in cuts if _is_there(Path(cut[0]), Path.is_file)), cuts[0])
    return Path(path), table


def _is_there(path: Path, kind: Callable[[Path], bool] = Path.exists) -> bool:
    try:
        return kind(path.expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _resolve(path: Path) -> Path:
    """The absolute path. Raises ConfigError for what cannot be one: too long, no user behind its ~, links in a circle."""
    try:
        found = path.expanduser().resolve()
        found.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{path} is no path that can be opened ({error}): expected a file or a folder. Correct --extract.table."
        ) from None
    return found


def _to_uri(spec: Path) -> str:
    path, table = _parts(spec)
    return path.as_uri() + (f"#{quote(table, safe='')}" if table else "")


def _from_uri(uri: str) -> Path:
    parts = urlparse(uri)
    return Path(unquote(parts.path) + (f"::{unquote(parts.fragment)}" if parts.fragment else ""))
