"""Everything that infers, in a process whose accelerate chooses another device: prints where each model and batch was.

    ACCELERATE_TORCH_DEVICE=meta python -m tests.tasks.models.elsewhere CHECKPOINT

torch's `meta` holds no numbers, so a forward pass on it fails at the first look at one, and so does the way back to the
CPU. But where a model and its batch meet is seen before that, on a machine that has no second device.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tasks.compression.pruning.importance import taylor_importance
from tasks.compression.quantization.qat import calibrate_observers, prepare
from tasks.formats.token_shards import TokenShards
from tasks.inference.pytorch import PytorchRunner
from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tasks.training.text_objective import LabelledRows, TextRows

ROWS = [[2, 5, 6, 3], [2, 7, 3]]


@contextmanager
def seen(places: list[str]) -> Iterator[None]:
    """Where parameters, ids and mask of every classifier are that is called inside."""

    def look(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, SentenceClassifier):
            held = {value.device.type for value in (*module.parameters(), *module.buffers())}
            places.append(", ".join([*sorted(held), *(tensor.device.type for tensor in given)]))

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    except RuntimeError as error:
        if "meta tensor" not in str(error):
            raise
    finally:
        hook.remove()


def answers(checkpoint: Path) -> None:
    embed_and_classify(SentenceClassifier.load(checkpoint), ROWS, pad_id=0)


def runner(checkpoint: Path) -> None:
    PytorchRunner(checkpoint, accelerated=True).logits(["what is my balance"])


def timed_runner(checkpoint: Path) -> None:
    PytorchRunner(checkpoint).logits(["what is my balance"])


def ranges(checkpoint: Path) -> None:
    model = SentenceClassifier.load(checkpoint)
    prepare(model, 0.1, embeddings=False)
    calibrate_observers(model, ROWS, 0, batch_size=2)


def importance(checkpoint: Path) -> None:
    objective = LabelledRows(TextRows(TokenShards.of(ROWS), 0), np.zeros(len(ROWS), dtype=np.int64))
    taylor_importance(SentenceClassifier.load(checkpoint), objective, [np.arange(1)])


INFER: tuple[Callable[[Path], None], ...] = (answers, runner, timed_runner, ranges, importance)

if __name__ == "__main__":
    found: dict[str, list[str]] = {}
    for infer in INFER:
        with seen(found.setdefault(infer.__name__, [])):
            infer(Path(sys.argv[1]))
    print(json.dumps(found))
