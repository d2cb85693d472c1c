"""Metrics and parameters in as few batches as a server takes; one value that it refuses costs no other."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeVar

from pydantic import JsonValue

from infra.tracking.values import MetricPoint, Parameter, Refused, Runs

BATCH_METRICS, BATCH_PARAMETERS = 500, 100
PARAMETER_LENGTH = 500
Item = TypeVar("Item")
Told = Callable[[str, Refused], None]  # the name of a value that was dropped, and why


def send(
    runs: Runs, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter], told: Told
) -> None:
    """Log in batches. Raises Refused when the server refuses the run itself: one that was deleted."""
    several, named = _cut(metrics, BATCH_METRICS), _cut(parameters, BATCH_PARAMETERS)
    for some, others in zip_longest(several, named, fillvalue=()):
        try:
            runs.log(run, some, others)
        except Refused:
            if not runs.takes(run):
                raise
            _in_parts(lambda part: runs.log(run, part, ()), some, shown, told)
            _in_parts(lambda part: runs.log(run, (), part), others, lambda pair: pair[0], told)


def shown(metric: MetricPoint) -> str:
    """What a refused metric is known by: its name, and the value where that may be why."""
    return metric.name if math.isfinite(metric.value) else f"{metric.name} = {metric.value}"


def _in_parts(
    log: Callable[[Sequence[Item]], None], items: Sequence[Item], name: Callable[[Item], str], told: Told
) -> None:
    """Log what the server takes of a batch: halved until a value that it refuses stands alone."""
    if not items:
        return
    try:
        log(items)
    except Refused as refused:
        if len(items) == 1:
            told(name(items[0]), refused)
            return
        middle = len(items) // 2
        for part in (items[:middle], items[middle:]):
            _in_parts(log, part, name, told)


def _cut(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def as_parameters(config: JsonValue) -> list[Parameter]:
    """A config as a server takes it: flat, with values of a bounded length."""
    return [(field, value[:PARAMETER_LENGTH]) for field, value in flatten(config)]


def flatten(value: JsonValue, prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON as (dotted name, text) pairs, the way MLflow shows parameters."""
    if isinstance(value, dict):
        return [
            pair for name in value for pair in flatten(value[name], f"{prefix}.{name}" if prefix else name)
        ]
    return [(prefix, "" if value is None else str(value))] if prefix else []
