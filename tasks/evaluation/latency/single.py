"""One model by itself: its size and the latency of one query on one thread, for a search that tries many."""

from pathlib import Path

import numpy as np

from tasks.evaluation.latency.config import TimingConfig
from tasks.evaluation.latency.measure import median_text
from tasks.evaluation.latency.process import workers
from tasks.evaluation.latency.protocol import Open
from tasks.evaluation.latency.worker import open_model, time_calls, tune
from tasks.formats.dataset import load_info, load_split

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
    # The report's statistic: what keeps a bound here keeps it there.
    return {
        "size_mb": opened.size_bytes / 1e6,
        "p50_ms": float(np.median(np.median(rounds, axis=1))) / 1e6,
    }
