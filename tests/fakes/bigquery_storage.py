"""The Storage Read API over the fake BigQuery's tables: CreateReadSession and ReadRows, Arrow only.

A table is divided into streams of neighbouring rows. A fault ends a stream as a cut connection does for the client:
UNAVAILABLE, in the middle; a rate limit is RESOURCE_EXHAUSTED with the time to wait. Messages are of some 1 MB where rows
are of 1 KB, in LZ4 where the session asks for it. It leaves out Avro, filters, chosen columns and SplitReadStream.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, status_pb2
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from tests.fakes.bigquery_faults import Fault, Faults
from tests.fakes.bigquery_tables import Refused, ResultTable, Tables

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
MESSAGE_ROWS = 1_103  # no divisor of anything
LZ4 = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
STREAMS = 4
_STATUS = {
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class _Service:
    def __init__(self, tables: Tables, faults: Faults, keep: bool) -> None:
        self._tables, self._faults, self._keep = tables, faults, keep
        self._made: dict[tuple[str, int, str], types.ReadRowsResponse] = {}

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
        options = request.read_session.read_options.arrow_serialization_options
        codec = "lz4" if options.buffer_compression == LZ4 else "plain"
        schema = types.ArrowSchema(serialized_schema=table.data.schema.serialize().to_pybytes())
        return types.ReadSession(
            name="projects/tests/locations/eu/sessions/s",
            arrow_schema=schema,
            streams=[
                types.ReadStream(name=f"streams/{name}/{number}/{streams}/{codec}")
                for number in range(streams)
            ]
            if table.rows
            else [],
        )

    def read(
        self, request: types.ReadRowsRequest, context: grpc.ServicerContext
    ) -> Iterator[types.ReadRowsResponse]:
        _, name, number, streams, codec = request.read_stream.split("/")
        table = self._tables.find(name)
        first, end = (_bound(table, int(number) + step, int(streams)) for step in (0, 1))
        start = first + request.offset
        while start < end:
            _meet(self._faults.message("rows"), context)
            message = self._made.get((name, start, codec)) or _message(table, start, end, codec)
            if self._keep:
                self._made[name, start, codec] = message
            start += message.row_count
            self._faults.count(len(message.arrow_record_batch.serialized_record_batch))
            yield message


def _message(table: ResultTable, start: int, end: int, codec: str) -> types.ReadRowsResponse:
    (batch,) = table.data.slice(start, min(MESSAGE_ROWS, end - start)).combine_chunks().to_batches()
    options, sink = (
        pa.ipc.IpcWriteOptions(compression=None if codec == "plain" else codec),
        pa.BufferOutputStream(),
    )
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    _, encoded = pa.ipc.MessageReader.open_stream(sink.getvalue())  # the schema's message, the rows'
    rows = types.ArrowRecordBatch(serialized_record_batch=encoded.serialize().to_pybytes())
    return types.ReadRowsResponse(arrow_record_batch=rows, row_count=batch.num_rows)


def _meet(fault: Fault | None, context: grpc.ServicerContext) -> None:
    if fault is not None and fault.refusal is not None and fault.refusal.reason == "rateLimitExceeded":
        said = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=fault.refusal.message)
        said.details.add().Pack(RetryInfo(retry_delay=Duration(nanos=1_000_000)))
        context.abort_with_status(rpc_status.to_status(said))
    if fault is not None and fault.refusal is not None:
        context.abort(_STATUS.get(fault.refusal.status, grpc.StatusCode.UNAVAILABLE), fault.refusal.message)
    if fault is not None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


def _bound(table: ResultTable, number: int, streams: int) -> int:
    return table.rows * number // streams


@contextmanager
def storage_server(tables: Tables, faults: Faults, keep: bool = False) -> Iterator[str]:
    """Serve on a free port of the loopback; gives the endpoint. With `keep`, a message is made once."""
    service = _Service(tables, faults, keep)
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
