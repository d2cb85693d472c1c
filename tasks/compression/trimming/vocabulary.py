"""Vocabulary trimming after training: embedding rows and tokens that the texts hardly need are cut off.

The words of cut tokens are made of smaller pieces from then on, which the model has seen in other words. The counting and
the choice of tokens are those of the student's tokenizer before training (tasks/tokenizers/trim.py).
"""

from typing import cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from infra.errors import ConfigError
from tasks.models.architecture import architecture_of
from tasks.models.embedding import FactorisedEmbedding
from tasks.models.model import SentenceClassifier
from tasks.tokenizers.wordpiece import WordPiece, with_tokens


def pieces_of(tokenizer: PreTrainedTokenizerBase) -> WordPiece:
    """The WordPiece vocabulary of a checkpoint's tokenizer; raises ConfigError for another kind."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.no_padding()
    plain.no_truncation()
    return WordPiece(plain)


def keep_tokens(
    model: SentenceClassifier, tokenizer: PreTrainedTokenizerBase, kept: np.ndarray
) -> PreTrainedTokenizerBase:
    """Cut the embeddings of `model`, in place, to the tokens `kept`, int64 [n]; returns the tokenizer over them.

    Raises ConfigError when a RoBERTa-like model's padding token would get another id: its positions hang on it.
    """
    smaller = _with_settings(with_tokens(pieces_of(tokenizer), kept), tokenizer)
    padding, before = smaller.pad_token_id, tokenizer.pad_token_id
    if architecture_of(model.body).positions_follow_padding and padding != before:
        raise ConfigError(
            f"the padding token would have the id {padding}: expected {before}, which this model counts its positions "
            "from. Keep the vocabulary whole."
        )
    words = model.body.get_input_embeddings()
    table = cast(nn.Embedding, words.rows if isinstance(words, FactorisedEmbedding) else words)
    rows = table.weight.detach()[torch.from_numpy(kept)].clone()
    table.weight = nn.Parameter(rows, requires_grad=table.weight.requires_grad)
    table.num_embeddings = len(kept)
    if table.padding_idx is not None:
        table.padding_idx = padding
    model.body.config.update({"vocab_size": len(kept), "pad_token_id": padding})
    return smaller


def _with_settings(inner: Tokenizer, like: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """`inner` as transformers' tokenizer, with the special tokens and limits of `like`."""
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=like.model_max_length,
        model_input_names=like.model_input_names,
        **like.special_tokens_map,
    )
