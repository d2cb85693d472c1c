"""`record.json` beside each artifact: how it came to be. Written last, so a folder without it does not exist."""

import platform
import subprocess
from functools import lru_cache
from pathlib import Path

import psutil
from pydantic import BaseModel, Field, JsonValue

from infra.machine.cpu import version_of

RECORD_FILE = "record.json"
# Of records written now; one without a number is 0. Raise it when an older version could not read one.
SCHEMA = 1
HISTORY_FILE = "metrics.jsonl"
# How a stage came by its files, where that may differ and they stay the same.
PROVENANCE_FILE = "provenance.json"
# Address of the shared store that has the files, while only the record is here.
ELSEWHERE_FILE = "elsewhere.txt"
# A record on its way into the shared store, before it is one of the home.
UNPUBLISHED_FILE = "unpublished.json"
# What lies beside an artifact's files and is none of them; of it, what goes where the artifact goes.
BESIDE = frozenset({RECORD_FILE, HISTORY_FILE, PROVENANCE_FILE, ELSEWHERE_FILE, UNPUBLISHED_FILE})
CARRIED = (HISTORY_FILE, PROVENANCE_FILE)
LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "onnxruntime", "onnx", "scikit-learn", "tokenizers",
             "duckdb", "sqlglot", "prefect", "mlflow", "huggingface_hub", "numpy")  # fmt: skip


class InputRecord(BaseModel, frozen=True):
    """One input of a stage as it was."""

    kind: str
    uri: str
    digest: str


class FileRecord(BaseModel, frozen=True):
    """One file of an artifact. Size and mtime make the usual check cheap; the sha256 decides."""

    sha256: str
    size: int
    mtime_ns: int


class Launch(BaseModel, frozen=True):
    """The processes of its own in which a stage was computed. No part of a key: what they compute is the same."""

    launcher: str
    pids: tuple[int, ...] = Field(description="by rank")


class Record(BaseModel, frozen=True, populate_by_name=True, serialize_by_alias=True):
    """Everything needed to say where an artifact came from and whether it is still what was written."""

    schema_number: int = Field(0, alias="schema", ge=0, le=SCHEMA)
    stage: str
    version: int
    key: str
    kind: str
    digest: str
    config: JsonValue
    inputs: dict[str, InputRecord]
    files: dict[str, FileRecord]
    metrics: dict[str, float]
    seed: int | None
    started: str
    finished: str
    seconds: float
    mlflow_run_id: str | None
    code_revision: str | None
    libraries: dict[str, str]
    hardware: dict[str, str]
    launch: Launch | None = Field(None, description="null: it was computed in the flow's own process")
    machine: JsonValue = Field(
        None, description="what is in the key of a stage that measures time: processor, runtimes"
    )


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Versions of the libraries that can change a result."""
    return {name: version_of(name) for name in LIBRARIES}


@lru_cache(maxsize=1)
def hardware() -> dict[str, str]:
    """What the stage ran on."""
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": str(cores),
        "memory_gib": f"{memory:.0f}",
        "python": platform.python_version(),
    }


@lru_cache(maxsize=1)
def code_revision() -> str | None:
    """Git revision of this code, with `+changed` when the tree is not clean; None outside a checkout."""
    try:
        revision, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "-uno")
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision + ("+changed" if changes else "")


def _git(*command: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *command], cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()
