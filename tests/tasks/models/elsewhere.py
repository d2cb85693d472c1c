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
from tasks.formats.frozen_masks import FrozenMasks
from tasks.formats.token_shards import TokenShards
from tasks.inference.pytorch import PytorchRunner
from tasks.models.inference import embed_and_classify
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.models.model import SentenceClassifier
from tasks.training.masked_lm.config import FrozenConfig
from tasks.training.masked_lm.fills import fills
from tasks.training.masked_lm.frozen import negative_log_likelihood
from tasks.training.text_objective import LabelledRows, TextRows
from tests.tasks.models.tiny_encoder import tiny_tokenizer
from tests.tasks.training.masked_lm.toy import tiny_model

ROWS = [[2, 5, 6, 3], [2, 7, 3]]


@contextmanager
def seen(places: list[str]) -> Iterator[None]:
    """On which devices parameters, ids and masks of every model of ours are that is called inside."""

    def look(module: nn.Module, given: tuple[torch.Tensor | None, ...]) -> None:
        if isinstance(module, SentenceClassifier | MaskedLanguageModel):
            met = (*module.parameters(), *module.buffers(), *given)
            places.append(", ".join(sorted({value.device.type for value in met if value is not None})))

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    except RuntimeError as error:
        if "meta tensor" not in str(error).lower():
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


def masked_documents(checkpoint: Path) -> None:
    ids = np.array(ROWS[:1])
    negative_log_likelihood(tiny_model(), FrozenMasks(ids, ids, 0), FrozenConfig())


def gaps(checkpoint: Path) -> None:
    fills(tiny_model(), tiny_tokenizer(), "what is my [MASK]")


INFER: tuple[Callable[[Path], None], ...] = (
    answers,
    runner,
    timed_runner,
    ranges,
    importance,
    masked_documents,
    gaps,
)

if __name__ == "__main__":
    found: dict[str, list[str]] = {}
    for infer in INFER:
        with seen(found.setdefault(infer.__name__, [])):
            infer(Path(sys.argv[1]))
    print(json.dumps(found))
