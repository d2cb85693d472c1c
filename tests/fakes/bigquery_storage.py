"""The Storage Read API over the fake BigQuery's tables: CreateReadSession and ReadRows, Arrow only.

A table is divided into streams of neighbouring rows. A fault ends a stream as a cut connection does for the client:
UNAVAILABLE, in the middle. It leaves out Avro, filters, chosen columns, SplitReadStream and compression.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.cloud.bigquery_storage_v1 import types

from tests.fakes.bigquery_faults import Fault, Faults
from tests.fakes.bigquery_tables import Refused, ResultTable, Tables

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
MESSAGE_ROWS = 700  # no divisor of anything
STREAMS = 4
_STATUS = {
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class _Service:
    def __init__(self, tables: Tables, faults: Faults) -> None:
        self._tables, self._faults = tables, faults

    def create(
        self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext
    ) -> types.ReadSession:
        name = request.read_session.table.rsplit("/", 1)[1]
        _meet(self._faults.message("session"), context)
        try:
            table = self._tables.find(name)
        except Refused as refused:
            context.abort(_STATUS[refused.status], refused.message)
        streams = min(request.max_stream_count or STREAMS, STREAMS, max(table.rows, 1))
        schema = types.ArrowSchema(serialized_schema=table.data.schema.serialize().to_pybytes())
        return types.ReadSession(
            name="projects/tests/locations/eu/sessions/s",
            arrow_schema=schema,
            streams=[types.ReadStream(name=f"streams/{name}/{number}/{streams}") for number in range(streams)]
            if table.rows
            else [],
        )

    def read(
        self, request: types.ReadRowsRequest, context: grpc.ServicerContext
    ) -> Iterator[types.ReadRowsResponse]:
        _, name, number, streams = request.read_stream.split("/")
        table = self._tables.find(name)
        first, end = (_bound(table, int(number) + step, int(streams)) for step in (0, 1))
        start = first + request.offset
        while start < end:
            _meet(self._faults.message("rows"), context)
            (batch,) = table.data.slice(start, min(MESSAGE_ROWS, end - start)).combine_chunks().to_batches()
            start += batch.num_rows
            rows = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            self._faults.count(len(rows.serialized_record_batch))
            yield types.ReadRowsResponse(arrow_record_batch=rows, row_count=batch.num_rows)


def _meet(fault: Fault | None, context: grpc.ServicerContext) -> None:
    if fault is not None and fault.refusal is not None:
        context.abort(_STATUS.get(fault.refusal.status, grpc.StatusCode.UNAVAILABLE), fault.refusal.message)
    if fault is not None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


def _bound(table: ResultTable, number: int, streams: int) -> int:
    return table.rows * number // streams


@contextmanager
def storage_server(tables: Tables, faults: Faults) -> Iterator[str]:
    """Serve on a free port of the loopback; gives the endpoint."""
    service = _Service(tables, faults)
    handlers = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            service.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            service.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
