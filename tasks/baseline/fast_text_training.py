"""fastText's training, in a process of its own: `python -m tasks.baseline.fast_text_training '{...}'`.

fastText 0.9 fills only a tenth of its table with random numbers when it has one thread, and takes the rest as the
memory comes. In a process that has worked before, that is what others left there: other vectors in each run, or
"Encountered NaN". A fresh process that maps each table anew gets zeros, the same in each run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue

from infra.errors import ConfigError
from tasks.runtimes.fast_text import library

ROOT = Path(__file__).resolve().parents[2]
MODEL, WEIGHT, LABELS = "model.bin", "weight.npy", "labels.json"
# Blocks above this many bytes come zeroed from the system. Said outright, the C library does not raise it as it goes.
FRESH_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
DIVERGED = 3


class Job(BaseModel):
    """What to train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Path
    folder: Path
    arguments: dict[str, JsonValue]
    quantization: dict[str, JsonValue] | None


def train_apart(job: Job) -> tuple[np.ndarray, list[str]]:
    """Train in a fresh process; `model.bin` is in the job's folder afterwards.

    Returns the output matrix float32 [labels, dimensions] and the labels of its rows. Raises ConfigError when training
    diverges or the process fails.
    """
    command = [sys.executable, "-m", "tasks.baseline.fast_text_training", job.model_dump_json()]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | FRESH_MEMORY,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode == DIVERGED:
        raise ConfigError(
            f"fastText's training diverged at rate {job.arguments['lr']}: expected numbers. "
            "Lower fast_text.learning_rate."
        )
    if done.returncode:
        raise ConfigError(
            f"fastText's training ended with exit code {done.returncode}: expected 0. Its last words: "
            f"{done.stderr.strip()[-1_000:] or 'none'}"
        )
    labels: list[str] = json.loads((job.folder / LABELS).read_text(encoding="utf-8"))
    return np.load(job.folder / WEIGHT, allow_pickle=False), labels


def main(given: str) -> int:
    """Train, quantize if asked, save."""
    job, fasttext = Job.model_validate_json(given), library()
    try:
        model = fasttext.train_supervised(str(job.rows), **job.arguments)
    except RuntimeError as error:
        if "NaN" in str(error):
            return DIVERGED
        raise
    np.save(job.folder / WEIGHT, np.array(model.get_output_matrix(), dtype=np.float32))
    (job.folder / LABELS).write_text(json.dumps(model.get_labels()), encoding="utf-8")
    if job.quantization is not None:
        model.quantize(str(job.rows), **job.quantization)
    model.save_model(str(job.folder / MODEL))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
