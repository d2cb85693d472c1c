"""Rows of a table of BigQuery as Arrow batches, in bounded memory: by the Storage Read API, or by REST.

A query with an ORDER BY has its rows in order in the table that its job wrote. One stream keeps that order and several do
not, so an ordered result is read by one. The streams of any other take turns, PIECE_ROWS at a time: that order follows
from how the server divided the table, and not from which stream was faster or broke.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar, cast

import pyarrow as pa
from google.api_core.exceptions import GoogleAPICallError
from google.api_core.grpc_helpers import GrpcStream
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from infra.warehouse.batches import even
from infra.warehouse.jobs import REQUEST_S
from infra.warehouse.refusals import is_transient_stream, wanted_delay

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")
PIECE_ROWS = 1_000
PAGE_ROWS = 5_000
FEWEST_TRIES = 5  # also of what was long in coming before it broke
CALL_S = 600.0  # after which a stream that is still read is opened anew, at the same row
LZ4 = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, the same thing is tried again while the network or the server fails."""

    seconds: float = 120.0

    def rest(self, retry: Retry) -> Retry:
        """The REST client's own retries, bounded."""
        return retry.with_timeout(self.seconds)

    def retrying(self, stop: threading.Event) -> Retrying:
        """For what breaks in a stream; given up at once when `stop` is set."""
        return Retrying(
            retry=retry_if_exception(is_transient_stream),
            wait=_wait,
            stop=(stop_after_delay(self.seconds) & stop_after_attempt(FEWEST_TRIES))
            | stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            reraise=True,
        )


_WAIT = wait_random_exponential(multiplier=0.1, max=10)


def _wait(state: RetryCallState) -> float:
    """As long as BigQuery says, or longer each time."""
    error = state.outcome.exception() if state.outcome else None
    return max(_WAIT(state), wanted_delay(error) or 0.0)


def read_pages(
    client: bigquery.Client, table: bigquery.Table, retry: Retry, rows: int = PAGE_ROWS
) -> Iterator[pa.RecordBatch]:
    """A table's rows in its order by REST: slower, and open to whoever may read the table."""
    again: list[str] = []

    def counted(call: Callable[[], Answer]) -> Callable[[], Answer]:
        return retry(call, on_error=lambda error: again.append(type(error).__name__))

    asked = cast(Retry, counted)  # The client only calls it.
    yield from client.list_rows(table, page_size=rows, retry=asked, timeout=REQUEST_S).to_arrow_iterable()
    if again:
        logger.warning(
            "the network or BigQuery failed while rows were read (times: %d): each time a page of at most %d rows was asked "
            "for again",
            len(again),
            rows,
        )


class ReadSession:
    """A table's rows by the Storage Read API. Raises Google's own errors; a broken stream is read on where it broke."""

    def __init__(
        self,
        client: BigQueryReadClient,
        project: str,
        table: bigquery.Table,
        streams: int,
        patience: Patience,
    ) -> None:
        self._client, self._patience = client, patience
        session = patience.retrying(threading.Event())(
            client.create_read_session,
            parent=f"projects/{project}",
            read_session=types.ReadSession(
                table=table.to_bqstorage(),
                data_format=types.DataFormat.ARROW,
                read_options={"arrow_serialization_options": {"buffer_compression": LZ4}},
            ),
            max_stream_count=streams,
            retry=None,
            timeout=REQUEST_S,
        )
        self._names = [stream.name for stream in session.streams]
        self._schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows: of one stream in its order, of several by turns."""
        stop = threading.Event()
        streams = [_Stream(self._client, name, self._schema, self._patience, stop) for name in self._names]
        with ThreadPoolExecutor(max(1, len(streams)), thread_name_prefix="bigquery-stream") as pool:
            try:
                lanes = [_ahead(pool, stream.batches()) for stream in streams]
                pieces = lanes if len(lanes) == 1 else [even(lane, PIECE_ROWS) for lane in lanes]
                for turn in zip_longest(*pieces):
                    yield from (piece for piece in turn if piece is not None)
            finally:
                stop.set()
                for stream in streams:
                    stream.close()
        if broke := sum(stream.broke for stream in streams):
            logger.warning(
                "the network or BigQuery failed while rows were read (times: %d): each time a stream was read on at the "
                "row where it broke, and at most what was on its way was sent again",
                broke,
            )


def _ahead(pool: ThreadPoolExecutor, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches: each is fetched by a thread while the one before it is used, the first at once."""
    coming = pool.submit(lambda: next(batches, None))

    def taken() -> Iterator[pa.RecordBatch]:
        nonlocal coming
        while (batch := coming.result()) is not None:
            coming = pool.submit(lambda: next(batches, None))
            yield batch

    return taken()


@dataclass
class _Stream:
    """One stream, message by message; the row to go on from is counted here, because the server does not remember it."""

    client: BigQueryReadClient
    name: str
    schema: pa.Schema
    patience: Patience
    stop: threading.Event
    broke: int = 0
    _offset: int = 0
    _call: "GrpcStream[types.ReadRowsResponse] | None" = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every message's rows. Patience begins anew with each message that came."""
        retrying = self.patience.retrying(self.stop)
        while (message := retrying(self._next)) is not None:
            if message.row_count:
                rows = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
                yield pa.ipc.read_record_batch(rows, self.schema)

    def close(self) -> None:
        """End the call that is under way, once `stop` is set: from another thread, too."""
        if (call := self._call) is not None:
            call.cancel()

    def _next(self) -> types.ReadRowsResponse | None:
        try:
            if self._call is None:
                self._open()
            message = next(cast("GrpcStream[types.ReadRowsResponse]", self._call), None)
        except GoogleAPICallError:
            self._call = None
            self.broke += 1
            raise
        if message is not None:
            self._offset += message.row_count
        return message

    def _open(self) -> None:
        call = self.client.read_rows(read_stream=self.name, offset=self._offset, retry=None, timeout=CALL_S)
        self._call = cast("GrpcStream[types.ReadRowsResponse]", call)
        if self.stop.is_set():  # `close` may have come too early to see this call.
            self._call.cancel()
