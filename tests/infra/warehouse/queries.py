"""Queries as tests ask them."""

from infra.warehouse.protocol import ParameterValue, Query, Warehouse

GIGABYTE = 1_000_000_000


def asked(sql: str, max_bytes: int = GIGABYTE, key: str | None = None, **parameters: ParameterValue) -> Query:
    return Query(sql, max_bytes, parameters, "my.sql", key)


def rows(warehouse: Warehouse, query: Query) -> list[dict[str, object]]:
    return [row for batch in warehouse.stream(query) for row in batch.to_pylist()]
