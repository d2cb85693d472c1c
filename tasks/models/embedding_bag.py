"""A bag of token vectors as an encoder: two tables and no layers, so that a text is a handful of look-ups.

A token's vector is its row of one table, plus the row of the pair that it makes with the token before it. Pairs are
hashed into a fixed number of rows, as in fastText (Joulin et al. 2017, Bag of Tricks for Efficient Text Classification,
section 2.2). Mean pooling, normalisation and head are those of every classifier here (tasks/models/model.py), and so
are its files, its export and its int8 form. Order beyond neighbours is lost.
"""

import torch
from torch import nn
from torch.nn.functional import pad
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

# Primes that spread a pair of ids over the rows; ids below 2^31 cannot overflow an int64.
FIRST, SECOND = 7_919, 104_729


class BagOfTokensConfig(PreTrainedConfig):
    """Sizes of the tables, in the terms of transformers."""

    model_type = "bag_of_tokens"

    vocab_size: int = 30_522
    hidden_size: int = 128
    pairs: int = 8_000  # rows of the second table; 0: there is none
    max_position_embeddings: int = 512  # tokens that a text may have; nothing depends on it
    pad_token_id: int | None = 0


class Tables(nn.Module):
    """`word_embeddings` [tokens, hidden] and, with pairs, `pair_embeddings` [pairs, hidden]."""

    def __init__(self, config: BagOfTokensConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.pair_embeddings = nn.Embedding(config.pairs, config.hidden_size) if config.pairs else None


class BagOfTokens(PreTrainedModel):
    """The encoder. Its tables start small and random; the distillation of one knows a better start."""

    config_class = BagOfTokensConfig
    base_model_prefix = "bag"

    def __init__(self, config: BagOfTokensConfig) -> None:
        super().__init__(config)
        self.embeddings = Tables(config)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> BaseModelOutput:
        """Vectors float [batch, sequence, hidden] of ids int64 [batch, sequence]; padding is left to the pooling."""
        tokens = self.embeddings.word_embeddings(input_ids)
        if self.embeddings.pair_embeddings is not None:
            tokens = tokens + self.embeddings.pair_embeddings(pair_rows(input_ids, self.config.pairs))
        return BaseModelOutput(last_hidden_state=tokens)

    def get_input_embeddings(self) -> nn.Module:
        """The table of the tokens."""
        return self.embeddings.word_embeddings

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)


def pair_rows(input_ids: torch.Tensor, pairs: int) -> torch.Tensor:
    """Row int64 [batch, sequence] of the pair that each token ends; the first has id 0 before it."""
    before = pad(input_ids[:, :-1], (1, 0))
    return (before * FIRST + input_ids * SECOND) % pairs
