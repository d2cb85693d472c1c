"""A causal language model for training and evaluation: GPT-2 of transformers, which says what its tokens cost.

It computes as transformers' own forward pass does, but for attention and loss, which take less time and memory.
"""

from pathlib import Path
from typing import Self

import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, PreTrainedTokenizerBase

from infra.errors import ArtifactError, ConfigError
from tasks.models.gpt.cost import costs, summed_cost
from tasks.models.gpt.forward import hidden_states
from tasks.models.loading import lacks, read_pretrained
from tasks.models.saving import save_model


class Gpt(nn.Module):
    """`model`, a GPT-2 with its head, whose matrix is that of the embeddings."""

    def __init__(self, model: GPT2LMHeadModel) -> None:
        super().__init__()
        self.model = model
        self.computes_again = False  # each layer in the backward pass: gradient checkpointing

    @property
    def context(self) -> int:
        """Tokens that a row may have."""
        return int(self.model.config.n_positions)

    @property
    def parameter_count(self) -> int:
        """Those of the head are those of the embeddings, and count once."""
        return sum(value.numel() for value in self.model.parameters())

    @property
    def embedding_count(self) -> int:
        """Parameters of the tokens' and the positions' embeddings."""
        body = self.model.transformer
        return int(body.wte.weight.numel() + body.wpe.weight.numel())

    def forward(
        self,
        input_ids: torch.Tensor,
        labels: torch.Tensor,
        documents: torch.Tensor | None = None,
        each: bool = False,
    ) -> torch.Tensor:
        """The negative log likelihood, in nats, of what stands behind each position.

        Args:
            input_ids: int64 [batch, length].
            labels: int64 [batch, length], the token behind each; IGNORED where none is asked for.
            documents: int64 [batch, length], which document a position is of: none reads another; None: all are one.
            each: give each position's, 0 where none is asked for, in place of their sum.

        Returns:
            float32 [], the sum; or float32 [batch, length].

        Raises:
            ConfigError: the rows are longer than the model's positions.
        """
        if input_ids.shape[1] > self.context:
            raise ConfigError(
                f"rows of {input_ids.shape[1]} tokens are more than the model can read: expected at most {self.context}. "
                "Give shorter ones."
            )
        states = hidden_states(self.model.transformer, input_ids, documents, self.computes_again)
        hidden = states.flatten(0, 1)
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        asked = (hidden.to(dtype), self.model.lm_head.weight.to(dtype), labels.flatten())
        with torch.autocast(kind, enabled=False):
            return costs(*asked).view(labels.shape) if each else summed_cost(*asked)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the checkpoint in `folder` in float32, in evaluation mode.

        Raises ArtifactError when it is damaged, lacks weights, is no GPT-2, or its config asks for code from elsewhere.
        """
        model, missing = read_pretrained(AutoModelForCausalLM, folder)
        if not isinstance(model, GPT2LMHeadModel):
            raise ArtifactError(
                f"{folder} is a {model.config.model_type}: expected a GPT-2. Take another checkpoint, or begin a fresh one."
            )
        if missing:
            raise lacks(folder, missing)
        return cls(model).eval()

    def save(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write model and tokenizer as `GPT2LMHeadModel` and `pipeline("text-generation", model=folder)` open them.

        Raises StoreError when the disk does not take them.
        """
        save_model(self.model, tokenizer, folder)
