"""Files judged by several processes, in the order and with the result of one."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import chain, cycle, islice

import pyarrow as pa

from tasks.data.curation.code.judge import Judged, judge
from tasks.data.curation.config import CurateCodeConfig
from tasks.processes.worker import Worker

AHEAD = 2  # batches that a process has, of which it works on one
Batch = tuple[pa.RecordBatch, list[Judged]]


def judged(config: CurateCodeConfig, batches: Iterable[pa.RecordBatch], workers: int) -> Iterator[Batch]:
    """Each batch with what was found of its texts, in order. Raises ServiceError when a process dies.

    One process, or one batch, needs no other process than this.
    """
    rest = iter(batches)
    first = list(islice(rest, 2))
    if workers == 1 or len(first) < 2:
        for batch in chain(first, rest):
            yield batch, judge(config, batch["text"].to_pylist())
        return
    with ExitStack() as stack:
        makers = [stack.enter_context(Worker("the judging of files")) for _ in range(workers)]
        waiting: deque[tuple[pa.RecordBatch, Future[list[Judged]], Worker]] = deque()
        for batch, worker in zip(chain(first, rest), cycle(makers), strict=False):
            waiting.append((batch, worker.send(judge, config, batch["text"].to_pylist()), worker))
            if len(waiting) > AHEAD * workers:
                done, asked, asked_of = waiting.popleft()
                yield done, asked_of.receive(asked)
        for done, asked, asked_of in waiting:
            yield done, asked_of.receive(asked)
