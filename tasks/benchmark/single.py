"""One model by itself: its size and the latency of one query on one thread, for a search that tries many."""

from pathlib import Path

import numpy as np

from tasks.benchmark.config import TimingConfig
from tasks.benchmark.measure import median_text
from tasks.benchmark.process import workers
from tasks.benchmark.protocol import Open
from tasks.benchmark.worker import open_model, time_calls, tune
from tasks.labelled_text.dataset import load_info, load_split

NAME = "student"


def time_model(config: TimingConfig, model: Path, dataset: Path) -> dict[str, float]:
    """`size_mb` (every file that inference needs, 10^6 bytes) and `p50_ms` over all rounds.

    The query is a text of validation: the test split stays closed. Raises ArtifactError for a folder without a
    model, ServiceError when the worker dies.
    """
    query = config.query or median_text(load_split(dataset, "validation").texts)
    classes = len(load_info(dataset).labels)
    with workers((NAME,)) as started:
        worker = started[NAME]
        opened = worker.ask(open_model, Open(name=NAME, folder=model.resolve(), classes=classes, cores=1))
        worker.ask(tune, query, config.timed)
        rounds = [worker.ask(time_calls, query, config.warmups, config.timed) for _ in range(config.rounds)]
    # The quietest round: a busy minute of the machine is no property of the model.
    return {
        "size_mb": opened.size_bytes / 1e6,
        "p50_ms": float(min(np.median(times) for times in rounds)) / 1e6,
    }
