"""Tokenizers of several kinds as transformers saves them, tiny."""

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.tasks.models.tiny_encoder import tiny_tokenizer

SPECIAL = ["<pad>", "<mask>", "<end>"]
TEXTS = ["what is the balance of my account?", "It's raining 12 cats & dogs,  naïve Ωmega!\n\tso what..."] * 3


def word_piece() -> PreTrainedTokenizerFast:
    """As BERT's: [CLS] and [SEP] around a text."""
    return tiny_tokenizer()


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2's: nothing around a text, nothing unknown; a word is what its pattern cuts."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", mask_token="<mask>", eos_token="<end>"
    )


def wordless() -> PreTrainedTokenizerFast:
    """As Llama's: nothing cuts a text into words."""
    inner = Tokenizer(models.BPE(byte_fallback=False, unk_token="<unk>"))
    inner.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=90, special_tokens=["<unk>", *SPECIAL], show_progress=False)
    inner.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", pad_token="<pad>")


KINDS: tuple[Callable[[], PreTrainedTokenizerFast], ...] = (word_piece, byte_level, wordless)


def saved(tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    tokenizer.save_pretrained(folder)
    return folder
