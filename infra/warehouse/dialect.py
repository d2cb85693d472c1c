"""BigQuery's SQL, read once: checked, its tables found, and written for DuckDB. What has no counterpart is refused."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, OptimizeError, ParseError, TokenError, UnsupportedError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from infra.errors import WarehouseError
from infra.warehouse.messages import choices, error_at, first_unclosed, offset_of
from infra.warehouse.protocol import Query

Schema = Mapping[str, Collection[str]]  # table -> columns
_STATEMENTS = {
    exp.Declare: "DECLARE has no counterpart here: use query parameters (@name) instead of variables.",
    exp.Export: "EXPORT DATA is not needed: the extract stage writes the rows itself. Leave the SELECT alone.",
    exp.Create: "CREATE cannot run: the extract stage only reads. Inline the function or table (WITH name AS ...).",
}
_PSEUDO_COLUMNS = ("_TABLE_SUFFIX", "_PARTITIONTIME", "_PARTITIONDATE")
_UNION = "has no counterpart in the embedded warehouse: name the tables and UNION ALL them."


@dataclass(frozen=True)
class Statement:
    """A checked query: its syntax tree with the tables' names resolved, and the tables it reads, sorted."""

    query: Query
    tree: exp.Query
    tables: tuple[str, ...]

    def duckdb(self) -> str:
        """The same statement in DuckDB's dialect. Raises WarehouseError for what cannot be said in it."""
        tree = self.tree.transform(_rewritten)
        try:
            return str(tree.sql("duckdb", identify=True, unsupported_level=ErrorLevel.RAISE, comments=False))
        except UnsupportedError as error:
            raise WarehouseError(
                f"{self.query.name}: {error} (the embedded warehouse). Say it with other functions of BigQuery's SQL."
            ) from None

    def columns(self, schema: Schema) -> dict[str, set[str]]:
        """Columns of each table that the query reads: every one of them where that cannot be told."""
        # Names are all that is asked for: the types of files are not all known to BigQuery.
        types: dict[str, object] = {table: dict.fromkeys(schema[table], "UNKNOWN") for table in self.tables}
        try:
            tree = qualify(self.tree.copy(), schema=types, dialect="bigquery")
        except OptimizeError:
            return {table: set(schema[table]) for table in self.tables}
        read: dict[str, set[str]] = {table: set() for table in self.tables}
        for scope in traverse_scope(tree):
            for column in scope.columns:
                source = scope.sources.get(column.table)
                if isinstance(source, exp.Table) and source.name in schema:  # and no function that gives rows
                    read[source.name] |= {
                        name for name in schema[source.name] if name.lower() == column.name.lower()
                    }
        return read


def read_statement(query: Query, known: Collection[str]) -> Statement:
    """Check a query against BigQuery's grammar and the tables that exist.

    A table is found by its own name, whatever project and data set stand before it: the file which reads
    `project.data_set.queries` in BigQuery reads the embedded table `queries`. Raises WarehouseError with line and
    column for a syntax error, an unknown table, a parameter without a value, and for what cannot run here.
    """
    tree = parse_select(query)
    for node in tree.walk():
        if reason := _unsupported(node):
            raise _error_at_node(query, node, reason)
    check_parameters(query, tree)
    found = {
        _resolve(query, source, known)
        for scope in traverse_scope(tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and source.name
    }
    return Statement(query, tree, tuple(sorted(found)))


def parse_select(query: Query) -> exp.Query:
    """The syntax tree of one SELECT. Raises WarehouseError with line and column for anything else."""
    try:
        statements = [tree for tree in sqlglot.parse(query.sql, read="bigquery") if tree is not None]
    except ParseError as error:
        raise _syntax_error(query, error) from None
    except RecursionError:
        raise WarehouseError(
            f"{query.name} has parentheses or subqueries in each other, too deep to be read: expected a few levels. Say the "
            "inner ones as WITH name AS (...)."
        ) from None
    except TokenError:
        what = "a quote, backtick or comment is opened here and never closed. Close it."
        raise error_at(query, first_unclosed(query.sql), what) from None
    for tree in statements:
        for kind, remedy in _STATEMENTS.items():
            if isinstance(tree, kind):
                raise WarehouseError(f"{query.name}: {remedy}")
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        kinds = ", ".join(type(tree).__name__.upper() for tree in statements) or "nothing"
        raise WarehouseError(
            f"{query.name} holds {kinds}: expected one SELECT (WITH ... is fine). Leave only that."
        )
    return statements[0]


def _syntax_error(query: Query, error: ParseError) -> WarehouseError:
    first = error.errors[0]
    near = str(first.get("highlight") or "")
    line, last = int(first.get("line") or 1), int(first.get("col") or 1)
    description = re.sub(
        r"<class '[\w.]*\.(\w+)'>", lambda match: match.group(1).upper(), str(first["description"])
    )
    description = description.replace(
        "Required keyword: 'this' missing for", "something is missing after or in"
    )
    what = f"syntax error near `{near}`: {description}. Correct the SQL here or just before."
    return error_at(query, offset_of(query.sql, line, max(last - len(near) + 1, 1)), what)


def _unsupported(node: exp.Expr) -> str | None:
    """Why the embedded warehouse cannot run this part of a query, with the remedy; None where it can."""
    if isinstance(node, exp.Table):
        if node.args.get("sample"):
            return (
                "TABLESAMPLE gives other rows each time. Sample by MOD(ABS(FARM_FINGERPRINT(column)), 100) "
                "< @sample_percent."
            )
        if "*" in node.name:
            return f"wildcard table `{node.name}` {_UNION}"
        if node.args.get("version"):
            return "FOR SYSTEM_TIME AS OF has no counterpart in the embedded warehouse. Leave it out."
    if isinstance(node, exp.Column) and node.name.upper() in _PSEUDO_COLUMNS:
        return f"{node.name} {_UNION}"
    if isinstance(node, exp.Placeholder):
        return "positional parameters (?) are not taken. Use named ones (@name)."
    if isinstance(node, exp.SessionParameter) or (isinstance(node, exp.Parameter) and not node.name):
        return "system variables (@@name) have no counterpart. Use a query parameter (@name)."
    return None


def parsed_select(query: Query) -> exp.Query | None:
    """The syntax tree; None for what is no SELECT as sqlglot reads it, and may yet be one to BigQuery itself."""
    try:
        return parse_select(query)
    except WarehouseError:
        return None


def is_ordered(query: Query) -> bool:
    """Whether the rows must stay in order. What cannot be read here is taken for ordered: slower, and never wrong."""
    tree = parsed_select(query)
    return tree is None or tree.args.get("order") is not None


def check_parameters(query: Query, tree: exp.Query) -> None:
    """Raise WarehouseError when a parameter has no value, or a value no parameter."""
    asked = {node.name for node in tree.find_all(exp.Parameter)}
    if missing := sorted(asked - set(query.parameters)):
        first = missing[0]
        raise WarehouseError(
            f"{query.name} uses @{', @'.join(missing)} without a value. Give --extract.parameters.{first}, "
            f"or a default at the head of the file (-- @param {first} STRING = ...)."
        )
    if unknown := sorted(set(query.parameters) - asked):
        names = ", ".join("@" + name for name in sorted(asked)) or "none"
        raise WarehouseError(
            f"{query.name} has no parameter @{', @'.join(unknown)}: it uses {names}. Correct the name."
        )


def _resolve(query: Query, table: exp.Table, known: Collection[str]) -> str:
    """Cut off a table's project and data set and give its name. It keeps an alias, so that columns still find it."""
    if table.name not in known:
        what = f"no table `{table.name}`: {choices(table.name, known, 'table')}. Correct the name or give the table."
        raise _error_at_node(query, table, what)
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    table.set("db", None)
    table.set("catalog", None)
    return str(table.name)


def _rewritten(node: exp.Expr) -> exp.Expr:
    """What sqlglot leaves as it is, and DuckDB refuses or (worse) understands otherwise."""
    if isinstance(node, exp.Format):  # FORMAT('%d', x): DuckDB's own FORMAT wants {} and would give '%d'.
        return exp.Anonymous(this="PRINTF", expressions=[node.this, *node.expressions])
    if isinstance(node, exp.ArrayAgg) and isinstance(node.this, exp.Limit):  # The first n of the whole array.
        return exp.func(
            "LIST_SLICE", exp.ArrayAgg(this=node.this.this), exp.Literal.number(1), node.this.expression
        )
    return node


def _error_at_node(query: Query, node: exp.Expr, what: str) -> WarehouseError:
    starts = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
    return error_at(query, min(starts) if starts else None, what)
