"""A tiny GPT-2 of random weights with a byte-level tokenizer that knows the special tokens of code, made in milliseconds."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from tasks.formats.code_tokens import END_OF_TEXT, SPECIAL_TOKENS

POSITIONS = 96


def tiny_code_tokenizer(special: tuple[str, ...] = SPECIAL_TOKENS) -> PreTrainedTokenizerFast:
    """A token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: place for place, token in enumerate([*special, *alphabet])}
    inner = Tokenizer(models.BPE(vocab=ids, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=END_OF_TEXT,
        additional_special_tokens=list(special[1:]),
        clean_up_tokenization_spaces=False,
    )


def write_causal_lm(
    folder: Path, seed: int = 0, scale: float = 0.5, special: tuple[str, ...] = SPECIAL_TOKENS
) -> Path:
    """A checkpoint as transformers saves it; `scale` is of its random weights: large ones are sure of what comes next."""
    tokenizer = tiny_code_tokenizer(special)
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=POSITIONS,
        n_embd=16,
        n_layer=2,
        n_head=2,
        initializer_range=scale,
        bos_token_id=0,
        eos_token_id=0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
