"""The benchmark's workers: each holds one model in one runtime, in a process of its own, and rests between calls."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

from infra.errors import ArtifactError, ServiceError, StillhouseError
from tasks.processes.worker import Answer, Worker

LONGEST_WAIT_S = 600.0
REMEDY = "Lower benchmark.timed or benchmark.throughput_rows"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # they would set threads behind the benchmark's back


class Contender(Worker):
    """The process of one model: what is asked of it is in tasks/evaluation/latency/worker.py."""

    def __init__(self, name: str, longest_wait_s: float = LONGEST_WAIT_S, remedy: str = REMEDY) -> None:
        what = f"the benchmark's worker for {name}"
        super().__init__(what, OFFLINE, THREADS, longest_wait_s, remedy=remedy)
        self.name = name

    def receive(self, asked: Future[Answer]) -> Answer:
        """Wait for an answer. Raises ArtifactError for a refusal, ServiceError if the worker failed, died or hangs."""
        try:
            return super().receive(asked)
        except ServiceError:
            raise
        except StillhouseError as error:
            raise ArtifactError(f"{self.name} cannot be measured: {error}") from error


@contextmanager
def workers(names: Sequence[str], remedy: str = REMEDY) -> Iterator[dict[str, Contender]]:
    """A worker for each name, all ended when the block ends, however it ends."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Contender(name, remedy=remedy)) for name in names}


def idle_share(started: Sequence[Contender], seconds: float) -> float:
    """Largest share of one core that a waiting worker used over `seconds`."""
    before = [worker.ask(time.process_time) for worker in started]
    time.sleep(seconds)
    used = (worker.ask(time.process_time) - at for worker, at in zip(started, before, strict=True))
    return max(used) / seconds
