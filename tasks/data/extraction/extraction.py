"""Rows and their record in one folder: what both ways of asking, own table and query, end in."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from infra.errors import ConfigError, DataError
from tasks.data.extraction.asked import Asked, ask
from tasks.data.extraction.code_rows import code_rows
from tasks.data.extraction.columns import refuse_repeated
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.own_table import open_own_table, plan_own_table
from tasks.data.extraction.query import AskedQuery, result_columns
from tasks.data.extraction.rows import standard_rows, write_rows
from tasks.data.extraction.source import SourceTables, found_again
from tasks.data.extraction.warehouse import Warehouses
from tasks.formats.code_rows import TEXT_COLUMNS
from tasks.formats.extraction import PROVENANCE_FILE, RECORD_FILE, ExtractPlan, ExtractRecord, Provenance
from tasks.formats.kinds import SourceRef
from tasks.formats.value import write_value

Say = Callable[[str], None]
WANTED = {"labelled": "rows with a text and a label", "code": "files with text, repo_name, path and license"}


@dataclass(frozen=True)
class QueryResult:
    """What a warehouse gives for a query: rows, how many there will be, and how it came by them.

    `names` are the tables' in SQL, one for each source of the provenance.
    """

    batches: Iterator[pa.RecordBatch]
    rows: int | None
    names: tuple[str, ...]
    provenance: Provenance


def plan_rows(config: ExtractConfig, sources: SourceRef, warehouses: Warehouses, say: Say) -> ExtractPlan:
    """Rows, bytes and price of an extraction, before it is run. Raises what extracting would, where that can be told."""
    if config.query is None:
        plan = plan_own_table(open_own_table(config, found_again(None, sources)))
    else:
        with tempfile.TemporaryDirectory(prefix="plan-") as folder:
            plan = ask(config, sources, warehouses, Path(folder)).plan()
    rows = "an unknown number of rows" if plan.rows is None else f"{plan.rows:,} rows"
    say(f"extract would read {_cost(plan)} and give {rows}")
    _tell(plan.notes, say)
    return plan


def extract_rows(
    config: ExtractConfig, sources: SourceRef, warehouses: Warehouses, work: Path, output: Path, say: Say
) -> Mapping[str, float]:
    """Write the rows of the pinned sources and both records into `output`; gives `rows` and `bytes`.

    Raises DataError when the sources changed since they were pinned, and what `extract_own_table` or `extract_query` does.
    """
    if config.query is None:
        metrics = extract_own_table(config, found_again(None, sources), output)
    else:
        # Converted tables are no checkpoint: a query that fails leaves none of them behind.
        with tempfile.TemporaryDirectory(dir=work) as folder:
            asked = ask(config, sources, warehouses, Path(folder))
            metrics = extract_query(config, asked.text, _result(asked, say), output)
    _tell(Provenance.model_validate_json((output / PROVENANCE_FILE).read_bytes()).notes, say)
    return metrics


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
    names = ", ".join(file.name for file in sources.files)
    return _finish(
        record,
        provenance,
        f"{names} has a header and no rows. Expected rows with a text and a label. Give another file.",
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
    empty = (
        f"{asked.name} gives no rows. Expected {WANTED[config.kind]}. Look at its WHERE, JOIN and parameters."
    )
    if first is None:
        raise DataError(empty)
    name = f"the result of {asked.name}"
    refuse_repeated(first.schema.names, name)
    batches = chain([first], result.batches)
    if config.kind == "code":
        columns = {name: name for name in TEXT_COLUMNS}
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


def _result(asked: Asked, say: Say) -> QueryResult:
    """What the warehouse gives. Raises DataError when its tables changed by the time that the job has ended."""
    plan = asked.plan()
    if plan.usd is not None:
        say(f"extract reads {_cost(plan)}, which is paid once")
    batches = asked.warehouse.stream(asked.query)
    tables, execution = asked.read(), asked.warehouse.execution(asked.query)
    provenance = Provenance(
        sql_executed=execution.sql,
        job=execution.job,
        bytes=plan.bytes,
        bytes_billed=execution.bytes_billed,
        sources=tuple(table for _, table in tables),
        notes=asked.notes,
    )
    return QueryResult(batches, plan.rows, tuple(name for name, _ in tables), provenance)


def _cost(plan: ExtractPlan) -> str:
    """Bytes and price, as a person reads them."""
    size, usd = plan.bytes, plan.usd
    read = f"{size / 1e9:,.1f} GB" if size >= 10e9 else f"{size / 1e6:,.2f} MB"
    price = "" if usd is None else f" for ${usd:,.2f}" if usd >= 0.01 else " for less than $0.01"
    return read + price


def _tell(notes: tuple[str, ...], say: Say) -> None:
    for note in notes:
        say(f"extract: {note}")


def _finish(record: ExtractRecord, provenance: Provenance, empty: str, output: Path) -> Mapping[str, float]:
    if not record.rows:
        raise DataError(empty)
    write_value(output / RECORD_FILE, record)
    write_value(output / PROVENANCE_FILE, provenance)
    return {"rows": float(record.rows), "bytes": float(provenance.bytes)}
