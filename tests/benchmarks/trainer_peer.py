"""transformers' `Trainer` beside the training loop: the same model, rows, loss, batch and precision, its defaults else."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate.state import AcceleratorState
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from tasks.compression.distillation.config import LossConfig
from tasks.compression.distillation.losses import cosine_distance, cross_entropy, softened_kl
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.formats.token_shards import TokenShards
from tasks.models.batching import pad
from tasks.models.model import SentenceClassifier
from tasks.training.precision import computes_in_bf16


class Watch(TrainerCallback):
    """Keeps when each step ended."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """When a step ended."""
        self.at[state.global_step] = time.perf_counter()


class Taught(nn.Module):
    """The same model and loss behind the interface that Trainer wants."""

    def __init__(self, model: SentenceClassifier, config: LossConfig | None) -> None:
        """`config` of the student's loss; None for labels alone."""
        super().__init__()
        self.model, self.config = model, config

    def forward(self, input_ids, attention_mask, labels, logits=None, vectors=None):  # type: ignore[no-untyped-def]
        """A mapping with the loss."""
        answer = self.model(input_ids, attention_mask)
        found = answer.logits.float()
        loss = cross_entropy(found, labels) / len(labels)
        if (config := self.config) is not None:
            soft = softened_kl(found, logits, config.temperature) / len(labels)
            cosine = cosine_distance(answer.vectors.float(), vectors) / len(labels)
            loss = config.alpha * loss + (1 - config.alpha) * soft + config.beta * cosine
        return {"loss": loss}


class Steps(NamedTuple):
    """How many are counted, after how many that are not, of how many rows."""

    counted: int
    warm: int
    batch_size: int


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
        if model.config is not None:
            batch |= {
                name: torch.from_numpy(np.stack([one[name] for one in examples]))
                for name in ("logits", "vectors")
            }
        return batch

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps.warm + steps.counted,
        per_device_train_batch_size=steps.batch_size,
        learning_rate=1e-4,
        bf16=computes_in_bf16(torch.device("cpu")),
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        remove_unused_columns=False,
        train_sampling_strategy="group_by_length" if grouped else "random",
    )
    watch = Watch()
    Trainer(model, arguments, collate, train_dataset=rows, callbacks=[watch]).train()  # type: ignore[arg-type]
    # Its precision would hold for the next run of ours.
    AcceleratorState._reset_state(reset_partial_state=True)
    return (watch.at[steps.warm + steps.counted] - watch.at[steps.warm]) / steps.counted
