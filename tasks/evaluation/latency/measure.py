"""Benchmark: size, latency of one query and throughput of every form of the model, side by side in one run.

Each runtime has a process of its own, for threads that wait by spinning spoil their neighbours' figures. All
are loaded first and idle; then one is asked at a time, in rounds, so that a slow minute of the machine meets
all of them alike. A latency is the time from the query's string to its scores, tokenizer included. p50 is the
median of the rounds' medians, which are kept: two models are compared round by round (tasks/evaluation/latency/speed.py).
p95 and p99 are over test texts, drawn at random and timed once each, some in every round: a tail is that of the
texts, as in MLPerf's single stream, and not of one text repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from infra.errors import DataError
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.evaluation.latency.machine import cpu_facts, usable_cores
from tasks.evaluation.latency.process import Contender, idle_share, workers
from tasks.evaluation.latency.protocol import Open, Opened, Setting
from tasks.evaluation.latency.worker import open_model, throughput, time_calls, time_texts, tune
from tasks.formats.benchmark_report import BenchmarkReport, Timing
from tasks.formats.dataset import load_info, load_split
from tasks.formats.model_folder import kind_of
from tasks.formats.report_file import write_report
from tasks.formats.roles import REFERENCE, YARDSTICK

IDLE_S = 0.5  # how long the waiting workers are watched


def benchmark(
    config: BenchmarkConfig, models: Mapping[str, Path], dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Measure `models` (name of a row to its folder; `teacher` is among them) and the yardstick.

    Writes `report.json` to `output_dir`; returns flat figures, such as `released_p50_ms`. Raises DataError
    when the test split is empty, ArtifactError for a model that cannot be loaded, ServiceError when a worker
    dies.
    """
    texts = load_split(dataset, "test").texts
    if not texts:
        raise DataError(
            "the test split has no rows: expected texts to measure with. Give it some and curate again."
        )
    for folder in models.values():
        kind_of(folder)  # a folder without a model is refused before processes start
    query = config.query or median_text(texts)
    # The yardstick has random weights, and the teacher lends it its tokenizer.
    folders = {YARDSTICK: models[REFERENCE].resolve()} | {
        name: path.resolve() for name, path in models.items()
    }
    cores, classes = usable_cores(), len(load_info(dataset).labels)
    asked = Open(
        name=YARDSTICK,
        folder=folders[YARDSTICK],
        classes=classes,
        cores=cores,
        yardstick_layers=config.yardstick_layers,
    )
    with workers(tuple(folders)) as started:
        opened = open_all(started, folders, asked)
        settings = {name: worker.ask(tune, query, config.tried) for name, worker in started.items()}
        idle = idle_share(list(started.values()), IDLE_S)
        times, text_times = time_rounds(config, started, query, draw_texts(texts, config.texts))
        batches = length_batches(texts, config.throughput_rows, config.batch_size)
        rates = {name: worker.ask(throughput, batches) for name, worker in started.items()}
    cpu, flags = cpu_facts()
    report = BenchmarkReport(
        query=query,
        warmups=config.warmups,
        timed=config.timed,
        rounds=config.rounds,
        texts=min(config.texts, len(texts)),
        batch_size=config.batch_size,
        cpu=cpu,
        cpu_flags=flags,
        cores=cores,
        idle_cpu_share=idle,
        models=tuple(
            summarise(name, opened[name], settings[name], times[name], text_times[name], rates[name])
            for name in folders
        ),
    )
    write_report(output_dir, report)
    return flat_metrics(report)


def open_all(started: Mapping[str, Contender], folders: Mapping[str, Path], asked: Open) -> dict[str, Opened]:
    """Load every model as `asked`, all at once: importing torch three times takes the longest."""
    opening = {
        name: worker.send(open_model, asked.model_copy(update={"name": name, "folder": folders[name]}))
        for name, worker in started.items()
    }
    return {name: worker.receive(opening[name]) for name, worker in started.items()}


def time_rounds(
    config: BenchmarkConfig, started: Mapping[str, Contender], query: str, texts: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Nanoseconds of each worker: every timed call of the query [rounds, timed], and each text once [texts].

    Each round begins with another worker, and has its share of the texts.
    """
    times: dict[str, list[list[int]]] = {name: [] for name in started}
    text_times: dict[str, list[int]] = {name: [] for name in started}
    for name in in_turns(list(started), config.rounds, "benchmark"):
        share = texts[len(times[name]) :: config.rounds]
        times[name].append(started[name].ask(time_calls, query, config.warmups, config.timed))
        text_times[name] += started[name].ask(time_texts, share)
    return (
        {name: np.array(rounds) for name, rounds in times.items()},
        {name: np.array(found) for name, found in text_times.items()},
    )


def draw_texts(texts: Sequence[str], count: int) -> list[str]:
    """Some of the texts at random, the same each time; all of them where there are no more."""
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[i] for i in order[:count]]


def in_turns(names: Sequence[str], rounds: int, what: str) -> Iterator[str]:
    """Every name once a round, the first of a round another each time, with a progress bar."""
    with tqdm(total=rounds * len(names), desc=what, unit="turn", leave=False, disable=None) as bar:
        for number in range(rounds):
            first = number % len(names)
            for name in [*names[first:], *names[:first]]:
                yield name
                bar.update()


def median_text(texts: list[str]) -> str:
    """The text of median length in characters; of equal ones the first in the alphabet."""
    return sorted(texts, key=lambda text: (len(text), text))[len(texts) // 2]


def length_batches(texts: list[str], rows: int, batch_size: int) -> tuple[tuple[str, ...], ...]:
    """Batches of `rows` texts spread evenly over the lengths of all, each batch of like length."""
    ordered = sorted(texts, key=lambda text: (len(text), text))
    chosen = np.linspace(0, len(ordered) - 1, min(rows, len(ordered))).round().astype(int)
    sample = [ordered[i] for i in chosen]
    return tuple(tuple(sample[start : start + batch_size]) for start in range(0, len(sample), batch_size))


def summarise(
    name: str,
    opened: Opened,
    setting: Setting,
    nanoseconds: np.ndarray,
    text_nanoseconds: np.ndarray,
    rows_per_s: float,
) -> Timing:
    """One row of the report, from the times of every call of the query [rounds, timed] and of each text [texts]."""
    medians = np.median(nanoseconds / 1e6, axis=1)
    median, p95, p99 = (float(value) for value in np.percentile(text_nanoseconds / 1e6, [50, 95, 99]))
    return Timing(
        name=name,
        **opened.model_dump(),
        **setting.model_dump(),
        p50_ms=float(np.median(medians)),
        text_p50_ms=median,
        p95_ms=p95,
        p99_ms=p99,
        rows_per_s=rows_per_s,
        round_p50_ms=tuple(medians.tolist()),
    )


def flat_metrics(report: BenchmarkReport) -> dict[str, float]:
    """`<model>_<figure>` of every model."""
    figures = ("size_bytes", "p50_ms", "text_p50_ms", "p95_ms", "p99_ms", "rows_per_s")
    return {
        f"{model.name}_{figure}": float(getattr(model, figure))
        for model in report.models
        for figure in figures
    }
