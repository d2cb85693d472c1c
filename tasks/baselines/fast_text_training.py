"""fastText's training, in a process of its own.

fastText 0.9 fills only a tenth of its table with random numbers when it has one thread, and takes the rest as the
memory comes. In a process that has worked before, that is what others left there: other vectors in each run, or
"Encountered NaN". A fresh process that maps each table anew gets zeros, the same in each run.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from infra.errors import ConfigError
from tasks.inference.fast_text import MODEL_FILE, library
from tasks.processes.worker import Worker

# Blocks above this many bytes come zeroed from the system. Said outright, the C library does not raise it as it goes.
FRESH_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
Arguments = Mapping[str, JsonValue]


def train_apart(
    rows: Path, folder: Path, arguments: Arguments, quantization: Arguments | None
) -> tuple[np.ndarray, list[str]]:
    """`train` in a fresh process. Raises ConfigError as it does, ServiceError when the process fails."""
    with Worker("fastText's training", FRESH_MEMORY) as worker:
        return worker.ask(train, rows, folder, arguments, quantization)


def train(
    rows: Path, folder: Path, arguments: Arguments, quantization: Arguments | None
) -> tuple[np.ndarray, list[str]]:
    """Train on `rows`, quantize if asked, save the model in `folder`.

    Returns the output matrix float32 [labels, dimensions] and the labels of its rows. Raises ConfigError when training
    diverges or the library refuses its arguments.
    """
    fasttext = library()
    try:
        model = fasttext.train_supervised(str(rows), **arguments)
    except (RuntimeError, TypeError, ValueError) as error:
        if "NaN" in str(error):
            raise ConfigError(
                f"fastText's training diverged at rate {arguments['lr']}: expected numbers. "
                "Lower fast_text.learning_rate."
            ) from None
        raise ConfigError(
            f"fastText refused its arguments ({type(error).__name__}: {error}): expected to train. "
            "Correct fast_text."
        ) from error
    weight, labels = np.array(model.get_output_matrix(), dtype=np.float32), model.get_labels()
    if quantization is not None:
        model.quantize(str(rows), **quantization)
    model.save_model(str(folder / MODEL_FILE))
    return weight, labels
