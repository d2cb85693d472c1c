"""Rows of a table of BigQuery as Arrow batches, in bounded memory: by the Storage Read API, or by REST.

A query with an ORDER BY has its rows in order in the table that its job wrote. One stream keeps that order and several do
not, so an ordered result is read by one. The streams of any other take turns, PIECE_ROWS at a time: that order follows
from how the server divided the table, and not from which stream was faster or broke.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
AHEAD = 2  # messages that wait for their turn, a stream
CALL_S = 600.0  # after which a stream that is still read is opened anew, at the same row


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


class _CountedRetry:
    """The REST client's own retry, which counts the pages that are asked for again."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.again = 0

    def __call__(self, call: Callable[[], Answer], on_error: object = None) -> Callable[[], Answer]:
        return self._retry(call, on_error=self._count)

    def _count(self, error: Exception) -> None:
        self.again += 1


def read_pages(
    client: bigquery.Client, table: bigquery.Table, retry: Retry, rows: int = PAGE_ROWS
) -> Iterator[pa.RecordBatch]:
    """A table's rows in its order by REST: slower, and open to whoever may read the table."""
    counted = _CountedRetry(retry)
    asked = cast(Retry, counted)  # The client only calls it.
    yield from client.list_rows(table, page_size=rows, retry=asked, timeout=REQUEST_S).to_arrow_iterable()
    if counted.again:
        logger.warning(
            "the network or BigQuery failed while rows were read (times: %d): each time a page of at most %d rows was asked "
            "for again",
            counted.again,
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
        path = f"projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}"
        compressed = types.ArrowSerializationOptions(
            buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
        )
        asked = types.ReadSession(
            table=path,
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(arrow_serialization_options=compressed),
        )
        session = patience.retrying(threading.Event())(
            client.create_read_session,
            parent=f"projects/{project}",
            read_session=asked,
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
        lanes = [_Lane(stream, stop) for stream in streams]
        try:
            if len(lanes) == 1:
                yield from lanes[0]
            else:
                yield from _by_turns([even(iter(lane), PIECE_ROWS) for lane in lanes])
        finally:
            stop.set()
            for lane in lanes:
                lane.end()
        if broke := sum(stream.broke for stream in streams):
            logger.warning(
                "the network or BigQuery failed while rows were read (times: %d): each time a stream was read on at the "
                "row where it broke, and at most what was on its way was sent again",
                broke,
            )


def _by_turns(sources: list[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    while sources:
        for source in list(sources):
            piece = next(source, None)
            if piece is None:
                sources.remove(source)
            else:
                yield piece


class _Stream:
    """One stream, message by message; the row to go on from is counted here, because the server does not remember it."""

    def __init__(
        self,
        client: BigQueryReadClient,
        name: str,
        schema: pa.Schema,
        patience: Patience,
        stop: threading.Event,
    ) -> None:
        self._client, self._name, self._schema = client, name, schema
        self._stop, self._retrying = stop, patience.retrying(stop)
        self.broke = 0
        self._offset = 0
        self._call: GrpcStream[types.ReadRowsResponse] | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every message's rows. Patience begins anew with each message that came."""
        while (message := self._retrying(self._next)) is not None:
            if message.row_count:
                yield pa.ipc.read_record_batch(
                    pa.py_buffer(message.arrow_record_batch.serialized_record_batch), self._schema
                )

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
        call = self._client.read_rows(read_stream=self._name, offset=self._offset, retry=None, timeout=CALL_S)
        self._call = cast("GrpcStream[types.ReadRowsResponse]", call)
        if self._stop.is_set():  # `close` may have come too early to see this call.
            self._call.cancel()


class _Lane:
    """A stream read ahead by a thread of its own, a few messages far."""

    def __init__(self, stream: _Stream, stop: threading.Event) -> None:
        self._stream, self._stop = stream, stop
        self._waiting: queue.Queue[pa.RecordBatch | Exception | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._read, name="bigquery-stream", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (found := self._waiting.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found

    def end(self) -> None:
        """Wait for the thread, once `stop` is set."""
        self._stream.close()
        self._thread.join()

    def _read(self) -> None:
        try:
            for batch in self._stream.batches():
                if not self._put(batch):
                    return
            self._put(None)
        except Exception as error:  # Raised where the rows are taken.
            self._put(error)

    def _put(self, item: pa.RecordBatch | Exception | None) -> bool:
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
