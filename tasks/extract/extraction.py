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
from tasks.extract.values import PROVENANCE_FILE, RECORD_FILE, ExtractRecord, Provenance


@dataclass(frozen=True)
class QueryResult:
    """What a warehouse gives for a query: rows, how many there will be, and how it came by them.

    `names` are the tables' in SQL, one for each source of the provenance.
    """

    batches: Iterator[pa.RecordBatch]
    rows: int | None
    names: tuple[str, ...]
    provenance: Provenance


def extract_own_table(config: ExtractConfig, sources: SourceTables, output: Path) -> Mapping[str, float]:
    """Write an own table's rows and both records into `output`; gives `rows` and `bytes`.

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
        dialect=config.dialect,
        parameters={},
        columns=table.columns.named(),
        rows=rows,
        sources=tuple(source.named(source.name) for source in sources.described),
    )
    provenance = Provenance(
        sql_executed=table.sql, bytes=table.size, sources=sources.described, notes=table.notes
    )
    return _finish(
        record,
        provenance,
        "the table has a header and no rows. Expected rows with a text and a label. Give another file.",
        output,
    )


def extract_query(
    config: ExtractConfig, asked: AskedQuery, result: QueryResult, output: Path
) -> Mapping[str, float]:
    """Write a query's rows and both records into `output`; gives `rows` and `bytes`.

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
    named = zip(result.names, result.provenance.sources, strict=True)
    record = ExtractRecord(
        query=asked.name,
        sql=asked.sql,
        dialect=config.dialect,
        parameters=dict(asked.parameters),
        columns=columns,
        rows=rows,
        sources=tuple(sorted((source.named(name) for name, source in named), key=lambda source: source.name)),
    )
    return _finish(record, result.provenance, empty, output)


def _finish(record: ExtractRecord, provenance: Provenance, empty: str, output: Path) -> Mapping[str, float]:
    if not record.rows:
        raise DataError(empty)
    for name, value in ((RECORD_FILE, record), (PROVENANCE_FILE, provenance)):
        (output / name).write_text(value.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return {"rows": float(record.rows), "bytes": float(provenance.bytes)}
