"""What a flow's own MLflow run shows of itself: few rows, however long its config and its table are.

The whole config is in the run's `config.json`, the whole table in its report: a run that computes nothing is made again and
again, and each of its rows stays.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from infra.store.fingerprint import canonical
from infra.store.history import Point
from infra.tracking.batches import as_parameters
from infra.tracking.values import Parameter

METRICS, PARAMETERS = 70, 60
CONFIG = "config.json"


def asked(config: BaseModel) -> list[Parameter]:
    """What differs from the defaults, by its dotted name: at most 60, in the order of the config's fields.

    What cannot change a result is left out, and a file stands as its sha256, as in a cache key.
    """
    told = as_parameters(canonical(config))
    return [
        (name, value)
        for field in _differing(config, None)
        for name, value in told
        if name == field or name.startswith(f"{field}.")
    ][:PARAMETERS]


def _differing(config: BaseModel, usual: BaseModel | None, prefix: str = "") -> Iterator[str]:
    """Dotted names of the fields that are not as in `usual`, or by default; those of a section in its place."""
    like = usual if type(usual) is type(config) else None
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        default = (
            getattr(like, name) if like else field.get_default(call_default_factory=True, validated_data={})
        )
        if value == default:
            continue
        if isinstance(value, BaseModel):
            yield from _differing(
                value, default if isinstance(default, BaseModel) else None, f"{prefix}{name}."
            )
        else:
            yield f"{prefix}{name}"


def headline(rows: Sequence[Mapping[str, object]]) -> list[Point]:
    """The figures of a table of models as `<name>_<figure>`: at most 70, the table's first columns of all rows first."""
    columns = dict.fromkeys(column for row in rows for column in row if column != "name")
    points = [
        (f"{row['name']}_{column}", float(value), 0)
        for column in columns
        for row in rows
        if isinstance(value := row.get(column), int | float)
    ]
    return points[:METRICS]
