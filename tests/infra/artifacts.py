"""Artifacts written straight into a store, with real files and records: a history without running it."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from infra.files import combined_digest
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.contents import measure_files
from infra.store.record import RECORD_FILE, InputRecord, Record


def make_artifact(
    store: Store,
    stage: str,
    files: Mapping[str, str],
    inputs: Mapping[str, Record | InputRecord] | None = None,
    kind: str = "DatasetRef",
    finished: str = "2020-01-01T00:00:00+00:00",
) -> Record:
    """Write `files` (name to content) as a stage's artifact made from `inputs`, and return its record."""
    key = combined_digest((name, content) for name, content in [("stage", stage), *files.items()])
    with store.writing(stage, key) as (output, _):
        for name, content in files.items():
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            (output / name).write_text(content)
        measured = measure_files(output)
        record = Record(
            stage=stage, version=1, key=key, kind=kind, config={}, seed=0, files=measured, metrics={},
            digest=combined_digest((name, file.sha256) for name, file in measured.items()),
            inputs={name: _input(value) for name, value in (inputs or {}).items()},
            started=finished, finished=finished, seconds=1.5, mlflow_run_id="run-of-" + stage,
            code_revision=None, libraries={}, hardware={},
        )  # fmt: skip
        store.commit(record)
    used = datetime.fromisoformat(finished).timestamp()
    os.utime(folder(store, record) / RECORD_FILE, (used, used))
    return record


def folder(store: Store, record: Record) -> Path:
    """Where the artifact of a record lies."""
    return store.folder(record.stage, record.key)


def _input(value: Record | InputRecord) -> InputRecord:
    if isinstance(value, InputRecord):
        return value
    return InputRecord(
        kind=value.kind, uri=f"artifact:{value.stage}/{value.key[:KEY_LENGTH]}", digest=value.digest
    )
