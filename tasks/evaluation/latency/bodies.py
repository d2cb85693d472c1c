"""How large and how fast the bodies of encoders are, side by side: without tokenizer and head, on rows of one length.

As in the benchmark (tasks/evaluation/latency/measure.py) each has a process of its own, and they take turns.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import ConfigError
from tasks.evaluation.latency.body import open_body, time_body
from tasks.evaluation.latency.config import BodiesConfig
from tasks.evaluation.latency.machine import cpu_facts, usable_cores
from tasks.evaluation.latency.measure import IDLE_S, in_turns
from tasks.evaluation.latency.process import Contender, idle_share, workers
from tasks.evaluation.latency.speed import ratio_interval
from tasks.formats.bodies_report import BodiesReport, BodyLatency, BodyTiming
from tasks.formats.report_file import write_report

REMEDY = "Give fewer timed rows or smaller batches"
Rounds = dict[int, list[float]]  # batch size -> median of each round, milliseconds


def time_bodies(config: BodiesConfig, models: Mapping[str, Path], output_dir: Path) -> dict[str, float]:
    """Measure the encoders in `models`, name to folder, against the one that the config calls the reference.

    Writes `report.json` to `output_dir`; returns flat figures, such as `student_batch_32_ms`.

    Raises:
        ConfigError: the reference is not among the models.
        ArtifactError: a model cannot be loaded, or not read rows of so many tokens.
        ServiceError: a worker died.
    """
    if config.reference not in models:
        raise ConfigError(
            f"the reference is {config.reference!r}: expected one of the models, {', '.join(models)}. Give its name."
        )
    names = (config.reference, *(name for name in models if name != config.reference))
    cores = usable_cores()
    threads = config.threads or cores
    with workers(names, REMEDY) as started:
        opening = {
            name: worker.send(open_body, models[name].resolve(), threads, config.tokens)
            for name, worker in started.items()
        }
        opened = {name: worker.receive(opening[name]) for name, worker in started.items()}
        idle = idle_share(list(started.values()), IDLE_S)
        times = time_rounds(config, started)
    cpu, flags = cpu_facts()
    report = BodiesReport(
        **config.model_dump(include={"reference", "tokens", "warmups", "timed", "rounds"}),
        threads=threads,
        cpu=cpu,
        cpu_flags=flags,
        cores=cores,
        idle_cpu_share=idle,
        models=tuple(
            BodyTiming(
                name=name,
                **opened[name].model_dump(),
                latencies=compare(times[name], times[config.reference]),
            )
            for name in names
        ),
    )
    write_report(output_dir, report)
    return flat_metrics(report)


def time_rounds(config: BodiesConfig, started: Mapping[str, Contender]) -> dict[str, Rounds]:
    """Medians of every model; in each of its turns it answers batches of every size."""
    times: dict[str, Rounds] = {name: {size: [] for size in config.batch_sizes} for name in started}
    for name in in_turns(list(started), config.rounds, "bodies"):
        for size in config.batch_sizes:
            calls = max(2, config.timed // size)
            taken = started[name].ask(time_body, size, config.tokens, config.warmups, calls)
            times[name][size].append(float(np.median(taken)) / 1e6)
    return times


def compare(own: Rounds, reference: Rounds) -> tuple[BodyLatency, ...]:
    """Latencies of a model at every batch size, beside the reference's of the same rounds."""
    found = []
    for size, rounds in own.items():
        base, latency = (
            BodyLatency(batch_size=size, latency_ms=float(np.median(each)), round_p50_ms=tuple(each))
            for each in (reference[size], rounds)
        )
        if own is not reference:
            ratio = {
                "speedup": base.latency_ms / latency.latency_ms,
                "speedup_interval": ratio_interval(base, latency),
            }
            latency = latency.model_copy(update=ratio)
        found.append(latency)
    return tuple(found)


def flat_metrics(report: BodiesReport) -> dict[str, float]:
    """Sizes and latencies of every model."""
    sizes = ("parameters", "layer_parameters", "weight_bytes")
    found = {f"{model.name}_{size}": float(getattr(model, size)) for model in report.models for size in sizes}
    return found | {
        f"{model.name}_batch_{latency.batch_size}_ms": latency.latency_ms
        for model in report.models
        for latency in model.latencies
    }
