"""Side by side: the yardstick and any number of models, each at its own best number of threads and at one thread.

For figures that are published: measured as the benchmark stage does it (tasks/evaluation/latency/measure.py), but every figure
is kept round by round, so that a ratio comes with its spread, and throughput is asked three ways. "Thirty times faster"
can mean three things: against a baseline that pads every text to its 512 positions, one that pads a batch to its
longest text, and one whose batches hold texts of like length.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from infra.errors import DataError
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.evaluation.latency.machine import cpu_facts, usable_cores
from tasks.evaluation.latency.measure import in_turns, length_batches, median_text, open_all
from tasks.evaluation.latency.process import Contender, workers
from tasks.evaluation.latency.protocol import Open, Opened, Setting
from tasks.evaluation.latency.worker import throughput, time_calls, tune, use
from tasks.formats.dataset import load_info, load_split
from tasks.formats.roles import YARDSTICK

ONE = Setting(threads=1, spinning=False)
PADDED_TEXTS = 4  # each takes the yardstick a second; with all padded alike, more would only be slower
THROUGHPUT_ROUNDS = 3
Figures = tuple[float, ...]


class Measured(BaseModel):
    """One model's figures, each a tuple over the rounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    runtime: str
    size_bytes: int = Field(description="every file that inference needs")
    best: Setting = Field(description="the setting of smallest latency, tried first")
    best_ms: Figures = Field(description="median latency of one query in each round, milliseconds, at `best`")
    one_thread_ms: Figures = Field(description="the same at one thread")
    padded_rows_per_s: Figures = Field(
        (), description="one thread, every text padded to 512 tokens; of the yardstick alone"
    )
    dynamic_rows_per_s: Figures = Field(
        description="one thread, batches as texts come, padded to their longest"
    )
    bucketed_rows_per_s: Figures = Field(description="one thread, batches of texts of like length")


class SideBySide(BaseModel):
    """All models, measured in one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    warmups: int
    timed: int = Field(description="timed queries a round")
    rounds: int
    batch_size: int
    texts: int = Field(description="test texts for throughput")
    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    models: tuple[Measured, ...]


def side_by_side(
    config: BenchmarkConfig, models: Mapping[str, Path], tokenizer: Path, dataset: Path
) -> SideBySide:
    """Measure `models` (name to folder) and the yardstick, which is given the tokenizer of a checkpoint.

    Raises DataError when the test split is empty, ArtifactError for a model that cannot be loaded, ServiceError when a
    worker dies.
    """
    texts = load_split(dataset, "test").texts
    if not texts:
        raise DataError("the test split has no rows: expected texts to measure with. Curate again.")
    query, cores = config.query or median_text(texts), usable_cores()
    folders = {YARDSTICK: tokenizer.resolve()} | {name: path.resolve() for name, path in models.items()}
    asked = Open(
        name=YARDSTICK,
        folder=tokenizer.resolve(),
        classes=len(load_info(dataset).labels),
        cores=cores,
        yardstick_layers=config.yardstick_layers,
    )
    with workers(tuple(folders)) as started:
        opened = open_all(started, folders, asked)
        best = {name: worker.ask(tune, query, config.tried) for name, worker in started.items()}
        latencies = time_rounds(config, started, best, query)
        rates = throughput_rounds(config, started, texts)
    cpu, flags = cpu_facts()
    return SideBySide(
        query=query,
        warmups=config.warmups,
        timed=config.timed,
        rounds=config.rounds,
        batch_size=config.batch_size,
        texts=min(config.throughput_rows, len(texts)),
        cpu=cpu,
        cpu_flags=flags,
        cores=cores,
        models=tuple(
            _measured(name, opened[name], best[name], latencies[name], rates[name]) for name in folders
        ),
    )


def time_rounds(
    config: BenchmarkConfig, started: Mapping[str, Contender], best: Mapping[str, Setting], query: str
) -> dict[str, dict[str, Figures]]:
    """`best` and `one` thread's median latency of each round, milliseconds. Each round begins with another worker.

    A model whose best is one thread is timed once a round.
    """

    def turn(name: str) -> dict[str, float]:
        found: dict[Setting, float] = {}
        one = ONE.model_copy(update={"spinning": None}) if best[name].spinning is None else ONE
        for setting in (best[name], one):
            if setting not in found:
                started[name].ask(use, setting)
                times = started[name].ask(time_calls, query, config.warmups, config.timed)
                found[setting] = statistics.median(times) / 1e6
        return {"best": found[best[name]], "one": found[one]}

    return _rounds(list(started), config.rounds, "latency", turn)


def throughput_rounds(
    config: BenchmarkConfig, started: Mapping[str, Contender], texts: list[str]
) -> dict[str, dict[str, Figures]]:
    """Rows a second of each round at one thread: `dynamic`, `bucketed`, and the yardstick's `padded`."""
    bucketed = length_batches(texts, config.throughput_rows, config.batch_size)
    dynamic = mixed_batches(bucketed, config.batch_size)
    padded = (dynamic[0][:PADDED_TEXTS],)

    def turn(name: str) -> dict[str, float]:
        asked = {"bucketed": bucketed, "dynamic": dynamic} | ({"padded": padded} if name == YARDSTICK else {})
        started[name].ask(use, ONE)
        return {
            way: started[name].ask(throughput, batches, way == "padded") for way, batches in asked.items()
        }

    return _rounds(list(started), min(THROUGHPUT_ROUNDS, config.rounds), "throughput", turn)


def mixed_batches(batches: Sequence[Sequence[str]], batch_size: int) -> tuple[tuple[str, ...], ...]:
    """The same texts in an order that has nothing to do with their length, the same each time."""
    texts = [text for batch in batches for text in batch]
    order = np.random.default_rng(0).permutation(len(texts))
    mixed = [texts[i] for i in order]
    return tuple(tuple(mixed[start : start + batch_size]) for start in range(0, len(mixed), batch_size))


def _rounds(
    names: Sequence[str], rounds: int, what: str, turn: Callable[[str], dict[str, float]]
) -> dict[str, dict[str, Figures]]:
    """Every model's turn in each round: of each figure, its values over the rounds."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for name in in_turns(names, rounds, what):
        found[name].append(turn(name))
    return {
        name: {figure: tuple(turned[figure] for turned in turns) for figure in turns[0]}
        for name, turns in found.items()
    }


def _measured(
    name: str,
    opened: Opened,
    best: Setting,
    latencies: Mapping[str, Figures],
    rates: Mapping[str, Figures],
) -> Measured:
    return Measured(
        name=name,
        runtime=opened.runtime,
        size_bytes=opened.size_bytes,
        best=best,
        best_ms=latencies["best"],
        one_thread_ms=latencies["one"],
        padded_rows_per_s=rates.get("padded", ()),
        dynamic_rows_per_s=rates["dynamic"],
        bucketed_rows_per_s=rates["bucketed"],
    )
