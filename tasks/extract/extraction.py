"""Rows and their record in one folder: what both ways of asking, own table and query, end in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from infra.errors import ConfigError, DataError
from tasks.extract.code_rows import CODE_COLUMNS, code_rows
from tasks.extract.columns import refuse_repeated
from tasks.extract.config import ExtractConfig
from tasks.extract.own_table import open_own_table
from tasks.extract.query import AskedQuery, result_columns
from tasks.extract.rows import standard_rows, write_rows
from tasks.extract.source import SourceTables
from tasks.extract.values import RECORD_FILE, ExtractRecord


@dataclass(frozen=True)
class QueryResult:
    """What a warehouse gives for a query: rows, how many and bytes as planned, the SQL it ran, the tables it read."""

    batches: Iterator[pa.RecordBatch]
    rows: int | None
    bytes: int
    sql_executed: str
    tables: tuple[str, ...]
    notes: tuple[str, ...]


def extract_own_table(config: ExtractConfig, sources: SourceTables, output: Path) -> Mapping[str, float]:
    """Write an own table's rows and `extract.json` into `output`; gives `rows` and `bytes`.

    Raises ConfigError, DataError or CostCapError for a table that cannot be used (`own_table`, `columns`, `rows`).
    """
    if config.kind == "code":
        raise ConfigError(
            "extract.kind is code and there is no query: expected one that gives text, repo_name, path and license. Give "
            "--extract.query FILE.sql."
        )
    table = open_own_table(config, sources)
    rows = write_rows(table.batches(), output, None)
    record = ExtractRecord(
        query=None,
        sql=table.sql,
        sql_executed=table.sql,
        dialect=config.dialect,
        parameters={},
        columns=table.columns.named(),
        rows=rows,
        bytes=table.size,
        sources=sources.described,
        notes=table.notes,
    )
    return _finish(
        record,
        "the table has a header and no rows. Expected rows with a text and a label. Give another file.",
        output,
    )


def extract_query(
    config: ExtractConfig, asked: AskedQuery, result: QueryResult, sources: SourceTables, output: Path
) -> Mapping[str, float]:
    """Write a query's rows and `extract.json` into `output`; gives `rows` and `bytes`.

    Raises DataError when the result has no rows, one column twice or not the columns that are needed; ConfigError when
    one column is named as text and as label.
    """
    first = next(result.batches, None)
    wanted = (
        "files with text, repo_name, path and license"
        if config.kind == "code"
        else "rows with a text and a label"
    )
    empty = f"{asked.name} gives no rows. Expected {wanted}. Look at its WHERE, JOIN and parameters."
    if first is None:
        raise DataError(empty)
    name = f"the result of {asked.name}"
    refuse_repeated(first.schema.names, name)
    batches = chain([first], result.batches)
    if config.kind == "code":
        columns = dict(zip(CODE_COLUMNS, CODE_COLUMNS, strict=True))
        standard = code_rows(batches, name)
    else:
        chosen = result_columns(config, first.schema.names)
        columns, standard = chosen.named(), standard_rows(batches, chosen, name)
    rows = write_rows(standard, output, result.rows)
    read_tables = tuple(
        table
        for file, table in zip(sources.files, sources.described, strict=True)
        if file.sql_name in result.tables
    )
    record = ExtractRecord(
        query=asked.name,
        sql=asked.sql,
        sql_executed=result.sql_executed,
        dialect=config.dialect,
        parameters=dict(asked.parameters),
        columns=columns,
        rows=rows,
        bytes=result.bytes,
        sources=read_tables,
        notes=result.notes,
    )
    return _finish(record, empty, output)


def _finish(record: ExtractRecord, empty: str, output: Path) -> Mapping[str, float]:
    if not record.rows:
        raise DataError(empty)
    (output / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return {"rows": float(record.rows), "bytes": float(record.bytes)}
