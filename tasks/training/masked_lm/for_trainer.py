"""Packed blocks and their masks for transformers' `Trainer`, and for any loop over a torch `DataLoader`.

The masks are those of `flows.adapt`: a function of seed, pass and block alone, whichever worker or process makes a batch.
docs/masked-lm-with-transformers.md shows both loops.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.modeling_outputs import MaskedLMOutput

from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.blocks import Blocks
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Vocabulary, mask


class Block(NamedTuple):
    """`ids` int64 and `word_starts` bool, both [length], and what the block's masks are drawn by: its number and the pass.

    No mapping, of which `Trainer` would hand on only what the model's `forward` names.
    """

    ids: np.ndarray
    word_starts: np.ndarray
    number: int
    epoch: int


class BlockDataset(Dataset[Block]):
    """Packed text, block by block; `epoch` is the pass that is read, counted from 0, and is to be told before each."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._epoch = torch.zeros(
            (), dtype=torch.int64
        ).share_memory_()  # workers that outlive a pass see it too

    @property
    def epoch(self) -> int:
        """Passes that came before this one."""
        return int(self._epoch)

    # Not `set_epoch`: accelerate calls that with counts of its own, and of several processes with none.
    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch.fill_(value)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, number: int) -> Block:
        """Raises IndexError for a number that there is not."""
        ids, word_starts = self.blocks[np.array([number])]
        return Block(ids[0], word_starts[0], number, self.epoch)


class MaskingCollator:
    """Masks blocks and makes a batch of them: what `Trainer` takes as `data_collator`, a `DataLoader` as `collate_fn`."""

    def __init__(self, masking: MaskingConfig, vocabulary: Vocabulary, seed: int = 0) -> None:
        self.masking, self.vocabulary, self.seed = masking, vocabulary, seed

    def __call__(self, blocks: Sequence[Block]) -> dict[str, torch.Tensor]:
        """`input_ids` and `labels`, int64 [blocks, length]; IGNORED where nothing is asked."""
        masked = [
            mask(
                block.ids,
                block.word_starts,
                Draw(self.seed, block.epoch).random(block.number),
                self.masking,
                self.vocabulary,
            )
            for block in blocks
        ]
        return {
            "input_ids": torch.from_numpy(np.stack([row.input_ids for row in masked])),
            "labels": torch.from_numpy(np.stack([row.labels for row in masked])),
        }


class TellPass(TrainerCallback):
    """Tells a data set which pass `Trainer` is in, after a resume as well."""

    def __init__(self, dataset: BlockDataset) -> None:
        self.dataset = dataset

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Called before the first batch of a pass is asked for; resumed inside of one, `state.epoch` is a fraction."""
        self.dataset.epoch = int(state.epoch or 0)


def mean_over_step(
    outputs: MaskedLMOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross-entropy of the masked tokens over those of the whole step, [] float32: `compute_loss_func` of `Trainer`.

    Without it `Trainer` adds up the means of micro-batches: transformers' masked language models take the number of tokens
    and do not divide by it, so two of them have twice the gradient of the whole batch.

    Args:
        outputs: of a masked language model, with `logits` [batch, length, vocabulary].
        labels: int64 [batch, length].
        num_items_in_batch: masked tokens of all micro-batches, and of all processes; None: this batch is the step.
    """
    asked = labels != IGNORED
    logits = cast(torch.Tensor, outputs.logits)[asked].float()
    total = cross_entropy(logits, labels[asked], reduction="sum")
    return total / (asked.sum() if num_items_in_batch is None else num_items_in_batch)
