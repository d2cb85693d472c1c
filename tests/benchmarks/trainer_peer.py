"""transformers' `Trainer` beside the training loop: the same model, rows, loss, batch and precision, its defaults else."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.compression.distillation.config import LossConfig
from tasks.compression.distillation.losses import cosine_distance, cross_entropy, softened_kl
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.formats.token_shards import TokenShards
from tasks.models.batching import pad
from tasks.models.model import SentenceClassifier
from tests.benchmarks.step_times import Steps, trainer_seconds


class Taught(nn.Module):
    """The same model and loss behind the interface that Trainer wants."""

    def __init__(self, model: SentenceClassifier, losses: LossConfig | None) -> None:
        """`losses` of the student; None for labels alone. Not `config`: Trainer writes into what has that name."""
        super().__init__()
        self.model, self.losses = model, losses

    def forward(self, input_ids, attention_mask, labels, logits=None, vectors=None):  # type: ignore[no-untyped-def]
        """A mapping with the loss."""
        answer = self.model(input_ids, attention_mask)
        found = answer.logits.float()
        loss = cross_entropy(found, labels) / len(labels)
        if (losses := self.losses) is not None:
            soft = softened_kl(found, logits, losses.temperature) / len(labels)
            cosine = cosine_distance(answer.vectors.float(), vectors) / len(labels)
            loss = losses.alpha * loss + (1 - losses.alpha) * soft + losses.beta * cosine
        return {"loss": loss}


def step_seconds(
    model: Taught, ids: TokenShards, outputs: TeacherOutputs, steps: Steps, folder: Path, grouped: bool
) -> float:
    """Seconds of a step of `Trainer`, its defaults but for what the two share; `grouped`: rows of like length together."""
    rows = [
        {"input_ids": ids[row], "label": outputs.labels[row], "logits": outputs.logits[row], "vectors": outputs.vectors[row]}
        for row in range(len(ids))
    ]  # fmt: skip

    def collate(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        padded = pad([one["input_ids"] for one in examples], 0)
        batch = {"input_ids": padded[0], "attention_mask": padded[1]}
        batch["labels"] = torch.tensor([int(one["label"]) for one in examples])
        if model.losses is not None:
            batch |= {
                name: torch.from_numpy(np.stack([one[name] for one in examples]))
                for name in ("logits", "vectors")
            }
        return batch

    sampling = "group_by_length" if grouped else "random"
    asked = {"learning_rate": 1e-4, "remove_unused_columns": False, "train_sampling_strategy": sampling}
    return trainer_seconds(model, collate, rows, steps, folder, **asked)
