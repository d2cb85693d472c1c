"""A masked language model: an encoder of transformers with its own head, which looks at the asked positions alone.

Most of the work of such a head is its product with the vocabulary, at each position; training and evaluation need it at
the one position in seven that is masked.
"""

from pathlib import Path
from typing import NamedTuple, Self, cast

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad
from transformers import AutoModelForMaskedLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import ConfigError
from tasks.models.architecture import ARCHITECTURES
from tasks.models.lm_heads import begin_head, chain_of, has_head, is_of_head, links_of
from tasks.models.loading import lacks, read_pretrained
from tasks.models.saving import save_model
from tasks.models.sliced import is_sliced

# The head reads a multiple of so many positions, zeros after those that are asked: how many these are is another number in each
# batch, and oneDNN keeps what it made for every new shape (a training of 2,500 steps grew from 1.0 to 4.8 GiB).
HEAD_ROWS = 64


class MaskedOutput(NamedTuple):
    """`logits` float32 [asked positions, vocabulary], in the order of rows and then positions.

    `hidden` where it was asked for: float [batch, sequence, hidden] of the embeddings and of each layer, the last one being
    what the head reads; else empty.
    """

    logits: torch.Tensor
    hidden: tuple[torch.Tensor, ...]


class MaskedLanguageModel(nn.Module):
    """`model`, a masked language model of transformers: encoder and head, the decoder mostly tied to the embeddings."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Raises ConfigError when the head of such a model is not known here."""
        super().__init__()
        chain_of(model.config.model_type)
        self.model = model

    @property
    def body(self) -> PreTrainedModel:
        """The encoder without the head."""
        return cast(PreTrainedModel, self.model.base_model)

    @property
    def max_length(self) -> int:
        """Tokens that a row may have."""
        config = self.model.config
        names = ARCHITECTURES.get(config.model_type)
        return config.max_position_embeddings - (names.first_position(config.pad_token_id) if names else 0)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        positions: torch.Tensor,
        hidden: bool = False,
    ) -> MaskedOutput:
        """Logits at `positions` alone, as the model of transformers has them there.

        Args:
            input_ids: int64 [batch, sequence].
            attention_mask: int64 [batch, sequence]; None: there is no padding.
            positions: bool [batch, sequence], or int64 [positions], counted through the rows.
            hidden: give the hidden states as well.

        Raises:
            ConfigError: the rows are longer than the model's positions.
        """
        if input_ids.shape[1] > self.max_length:
            raise ConfigError(
                f"rows of {input_ids.shape[1]} tokens are more than the model can read: expected at most "
                f"{self.max_length}. Give a smaller length."
            )
        output = self.body(input_ids, attention_mask=attention_mask, output_hidden_states=hidden)
        vectors = output.last_hidden_state.flatten(0, 1)[positions.flatten()]
        asked = len(vectors)
        vectors = pad(vectors, (0, 0, 0, -asked % HEAD_ROWS))
        for link in links_of(self.model):
            vectors = link(vectors)
        return MaskedOutput(vectors[:asked].float(), tuple(output.hidden_states) if hidden else ())

    @classmethod
    def from_config(cls, config: PretrainedConfig) -> Self:
        """Fresh random weights; raises ConfigError when the head of such a model is not known here."""
        chain_of(config.model_type)
        return cls(AutoModelForMaskedLM.from_config(config, trust_remote_code=False))

    @classmethod
    def load(cls, folder: Path, counts: np.ndarray | None = None) -> Self:
        """Read the checkpoint in `folder` in float32, in evaluation mode; one without a head (an encoder) gets one.

        `counts` int64 [tokens] says how often each token stands in the training text: what a new head begins with.

        Raises:
            ConfigError: the head of such a model is not known here, a new one is needed and `counts` is not given, or the
                encoder was narrowed.
            ArtifactError: the folder is damaged, or its config asks for code from elsewhere.
        """
        new = not has_head(folder)
        if new and counts is None:
            raise ConfigError(
                f"{folder} is an encoder without a masked-LM head: expected one with it, or a text for a new head to begin "
                "from. Give such a checkpoint, or train a head first."
            )
        # A new head's decoder is the embeddings, whatever the encoder was trained with.
        model, missing = read_pretrained(
            AutoModelForMaskedLM, folder, **({"tie_word_embeddings": True} if new else {})
        )
        kind = model.config.model_type
        if missing := [name for name in missing if not (new and is_of_head(name, kind))]:
            raise lacks(folder, missing)
        if is_sliced(model):
            raise ConfigError(
                f"{folder} is an encoder whose heads were cut or whose embeddings were factorised: expected a whole one. "
                "Take the model that it was made from."
            )
        if new and counts is not None:
            begin_head(model, counts)
        return cls(model.eval())

    def save(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        """Write model and tokenizer as `pipeline("fill-mask", model=folder)` opens them.

        Raises StoreError when the disk does not take them.
        """
        save_model(self.model, tokenizer, folder)
