"""A GPT-2 of transformers with fresh weights, sized to its tokenizer (Radford et al. 2019, Language Models are Unsupervised
Multitask Learners, section 2.3)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from infra.errors import ConfigError
from tasks.formats.code_tokens import END_OF_TEXT
from tasks.models.gpt.config import GptConfig
from tasks.models.gpt.model import Gpt
from tasks.models.loading import load_tokenizer


def gpt_config(asked: GptConfig, vocabulary: int, end_id: int) -> GPT2Config:
    """What transformers is asked for; `end_id` is the token that ends a text, and stands where a text begins."""
    shape = asked.shape
    return GPT2Config(
        vocab_size=vocabulary,
        n_positions=shape.context,
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function=asked.activation,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end_id,
        eos_token_id=end_id,
        use_cache=True,
    )


def fresh_gpt(config: GptConfig, tokenizer_dir: Path, output_dir: Path) -> Mapping[str, float]:
    """Write a model with fresh weights and its tokenizer, as transformers opens them; returns its parameters.

    Raises:
        ArtifactError: there is no tokenizer that can be read.
        ConfigError: the tokenizer has no token that ends a text.
        StoreError: the disk does not take them.
    """
    tokenizer = load_tokenizer(tokenizer_dir)
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"{tokenizer_dir} has no token that ends a text: expected one, such as {END_OF_TEXT}. Train the tokenizer "
            "again, or take one of a causal language model."
        )
    tokenizer.model_max_length = config.shape.context
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Gpt(GPT2LMHeadModel(gpt_config(config, len(tokenizer), int(tokenizer.eos_token_id))))
    model.save(output_dir, tokenizer)
    return {
        "parameters": float(model.parameter_count),
        "embedding_parameters": float(model.embedding_count),
    }
