"""A BERT as a DistilBERT: the same answers, without token types and pooler (Sanh et al. 2019, DistilBERT, section 2).

DistilBERT's classes are BERT's without what is the same for every token of a single text. What is left are other names.
"""

from collections.abc import Iterator
from typing import cast

import torch
from transformers import BertConfig, DistilBertConfig, DistilBertForMaskedLM

from tasks.models.architecture import BERT, DISTILBERT
from tasks.models.masked_lm import MaskedLanguageModel

LAYER_NORM_EPS = 1e-12  # DistilBERT's, which no configuration changes
# BERT's module to DistilBERT's: within a layer, and within the whole model.
LAYER = {
    BERT.query: DISTILBERT.query,
    BERT.key: DISTILBERT.key,
    BERT.value: DISTILBERT.value,
    BERT.attention_output: DISTILBERT.attention_output,
    "attention.output.LayerNorm": "sa_layer_norm",
    BERT.intermediate: DISTILBERT.intermediate,
    BERT.output: DISTILBERT.output,
    "output.LayerNorm": "output_layer_norm",
}
WHOLE = {
    "bert.embeddings.word_embeddings": "distilbert.embeddings.word_embeddings",
    "bert.embeddings.LayerNorm": "distilbert.embeddings.LayerNorm",
    "cls.predictions.transform.dense": "vocab_transform",
    "cls.predictions.transform.LayerNorm": "vocab_layer_norm",
    "cls.predictions.decoder": "vocab_projector",
}


def fits_distilbert(model: MaskedLanguageModel) -> bool:
    """Whether DistilBERT's classes can compute what `model` does: a BERT with the same norms, which reads both ways."""
    config = model.model.config
    return (
        isinstance(config, BertConfig)
        and config.model_type == "bert"
        and config.layer_norm_eps == LAYER_NORM_EPS
        and not config.is_decoder
        # What says of old checkpoints that positions are relative.
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
    )


@torch.no_grad()
def as_distilbert(model: MaskedLanguageModel) -> MaskedLanguageModel:
    """A copy of `model`, which `fits_distilbert`, in DistilBERT's classes.

    Its position embeddings have the vector of token type 0 in them, which BERT adds to every token of a single text.
    """
    bert = model.model
    distilbert = DistilBertForMaskedLM(_config_of(cast(BertConfig, bert.config)))
    for ours, theirs in _pairs(bert.config.num_hidden_layers):
        distilbert.get_submodule(theirs).load_state_dict(bert.get_submodule(ours).state_dict())
    positions, first_type = (
        bert.get_parameter(f"bert.embeddings.{name}_embeddings.weight") for name in ("position", "token_type")
    )
    distilbert.get_position_embeddings().weight.copy_(positions + first_type[0])
    return MaskedLanguageModel(distilbert.train(bert.training))


def _pairs(layers: int) -> Iterator[tuple[str, str]]:
    yield from WHOLE.items()
    for number in range(layers):
        for ours, theirs in LAYER.items():
            yield f"bert.{BERT.layers}.{number}.{ours}", f"distilbert.{DISTILBERT.layers}.{number}.{theirs}"


def _config_of(config: BertConfig) -> DistilBertConfig:
    return DistilBertConfig(
        vocab_size=config.vocab_size,
        max_position_embeddings=config.max_position_embeddings,
        n_layers=config.num_hidden_layers,
        n_heads=config.num_attention_heads,
        dim=config.hidden_size,
        hidden_dim=config.intermediate_size,
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        activation=config.hidden_act,
        initializer_range=config.initializer_range,
        pad_token_id=config.pad_token_id,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        tie_word_embeddings=config.tie_word_embeddings,
    )
