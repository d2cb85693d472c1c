"""`record.json` beside each artifact: how it came to be. Written last, so a folder without it does not exist."""

import importlib.metadata
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, JsonValue

RECORD_FILE = "record.json"
SCHEMA = (
    1  # of records written now; one without a number is 0. Raise it when an older version could not read one.
)
HISTORY_FILE = "metrics.jsonl"
PROVENANCE_FILE = (
    "provenance.json"  # how a stage came by its files, where that may differ and they stay the same
)
ELSEWHERE_FILE = (
    "elsewhere.txt"  # address of the shared store that has the files, while only the record is here
)
UNPUBLISHED_FILE = (
    "unpublished.json"  # a record on its way into the shared store, before it is one of the home
)
LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "onnxruntime", "onnx", "scikit-learn", "tokenizers",
             "duckdb", "sqlglot", "prefect", "mlflow", "huggingface_hub", "numpy")  # fmt: skip


class InputRecord(BaseModel):
    """One input of a stage as it was."""

    model_config = ConfigDict(frozen=True)

    kind: str
    uri: str
    digest: str


class FileRecord(BaseModel):
    """One file of an artifact. Size and mtime make the usual check cheap; the sha256 decides."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int
    mtime_ns: int


class Launch(BaseModel):
    """The processes of its own in which a stage was computed. No part of a key: what they compute is the same."""

    model_config = ConfigDict(frozen=True)

    launcher: str
    pids: tuple[int, ...] = Field(description="by rank")


class Record(BaseModel):
    """Everything needed to say where an artifact came from and whether it is still what was written."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

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
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


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
    here = Path(__file__).parent
    try:
        revision = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changes = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision.stdout.strip() + ("+changed" if changes.stdout.strip() else "")
