"""Why a stage is a miss: what differs from the nearest record of the same stage."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from infra.store.record import Record, library_versions
from infra.store.references import ArtifactRef, Pending

ABSENT = "absent"
UNSET = "None"  # as a field is shown that nothing was given for: it may be chosen from the data
CARRIERS = frozenset({"prefect", "mlflow", "huggingface_hub"})  # they carry results and make none


def explain_miss(
    version: int,
    config: JsonValue,
    inputs: Mapping[str, ArtifactRef | Pending],
    records: Iterable[Record],
    problem: str | None,
    machine: JsonValue = None,
) -> str:
    """One line naming damage, or the fields, inputs and facts of the machine that changed since the nearest record."""
    if problem is not None:
        return f"{problem}: it will be computed again"
    candidates = [_differences(version, config, inputs, record, machine) for record in records]
    if not candidates:
        return "never computed here"
    nearest: list[str] = min(candidates, key=len)
    return "; ".join(nearest) or "its record is gone"


def explain_hit(record: Record) -> str:
    """Which libraries made a hit, where others are installed: no key holds their versions."""
    now = library_versions()
    other = [
        f"{name} {then} (installed: {now[name]})"
        for name, then in sorted(record.libraries.items())
        if name not in CARRIERS and name in now and now[name] != then
    ]
    return f"made with {', '.join(other)}" if other else ""


def _differences(
    version: int,
    config: JsonValue,
    inputs: Mapping[str, ArtifactRef | Pending],
    record: Record,
    machine: JsonValue,
) -> list[str]:
    found = [f"version: {record.version} -> {version}"] if record.version != version else []
    waits = any(isinstance(ref, Pending) for ref in inputs.values())
    found += [
        f"{name}: {old} -> {'chosen when its inputs are there' if waits and new == UNSET else new}"
        for name, old, new in _changed(record.config, config)
    ]
    if record.machine is None and machine is not None:
        found.append("measured on a machine that its record does not name")
    else:
        found += [f"machine {name}: {old} -> {new}" for name, old, new in _changed(record.machine, machine)]
    for name, ref in inputs.items():
        if isinstance(ref, Pending):
            found.append(f"input {name} depends on {ref.name}")
        elif name not in record.inputs:
            found.append(f"input {name} is new")
        elif record.inputs[name].digest != ref.digest:
            found.append(f"input {name}: {record.inputs[name].digest[:12]} -> {ref.digest[:12]}")
    return found


def _changed(old: JsonValue, new: JsonValue, where: str = "") -> list[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [
            (name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in sorted(old.keys() | new.keys())
        ]
        return [row for name, a, b in pairs for row in _changed(a, b, f"{where}.{name}" if where else name)]
    return [] if old == new else [(where, _short(old), _short(new))]


def _short(value: JsonValue) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
