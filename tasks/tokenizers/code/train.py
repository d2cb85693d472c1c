"""Learn a byte-level BPE tokenizer of code from a stream (Sennrich et al. 2016; over bytes: Radford et al. 2019, section 2.2).

There is no normalizer and nothing is added around a text, so that any text is what its tokens give back. The special tokens are
ids that packing puts in: whoever encodes the text of files sets `tokenizer.encode_special_tokens = True`, so that their
characters inside a file are text.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tasks.formats.code_tokens import END_OF_TEXT, SPECIAL_TOKENS
from tasks.formats.texts import stream_texts
from tasks.formats.tokenizer_report import LEARNED_FILE, LearnedTokenizer
from tasks.formats.value import write_value
from tasks.tokenizers.code.config import CodeTokenizerConfig, Words
from tasks.tokenizers.code.sample import sampled
from tasks.tokenizers.code.tokens import shown_tokens
from tasks.tokenizers.files import ANY_TOKENIZER, Settings, write_tokenizer

logger = logging.getLogger(__name__)

SPLIT = "train"
# Both leave the last blank of an indentation to the word behind it, so that ` return` is one token anywhere in a line, and what
# is before it (a newline and the other blanks) another.
INDENTS = r"\s+(?!\S)|\s+"
PATTERNS: dict[Words, str] = {
    "code": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|" + INDENTS,
    "gpt2": r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|" + INDENTS,
}
SETTINGS: Settings = {
    "tokenizer_class": ANY_TOKENIZER,
    "bos_token": END_OF_TEXT,
    "eos_token": END_OF_TEXT,
    "unk_token": END_OF_TEXT,
    "clean_up_tokenization_spaces": False,
}


def train_on_corpus(config: CodeTokenizerConfig, corpus: Path, output: Path) -> dict[str, float]:
    """Write the tokenizer learned from the corpus' training split; gives its size and what it learned from.

    Raises ArtifactError when the corpus has no training split, DataError when no text of it was picked.
    """
    texts = size = 0

    def counted() -> Iterable[list[str]]:
        nonlocal texts, size
        for batch in sampled(lambda: stream_texts(corpus, SPLIT), config.most_bytes, config.seed):
            texts, size = texts + len(batch), size + sum(len(text.encode()) for text in batch)
            yield batch

    tokenizer = train_code_tokenizer(config, counted())
    write_tokenizer(output, tokenizer, SETTINGS)
    learned = LearnedTokenizer(
        vocabulary_size=tokenizer.get_vocab_size(),
        asked_size=config.vocabulary_size,
        words=config.words,
        pattern=PATTERNS[config.words],
        texts=texts,
        bytes=size,
        **shown_tokens(tokenizer),
    )
    write_value(output / LEARNED_FILE, learned)
    return {"vocabulary_size": learned.vocabulary_size, "texts": texts, "bytes": size}


def train_code_tokenizer(config: CodeTokenizerConfig, batches: Iterable[list[str]]) -> Tokenizer:
    """The tokenizer learned from batches of texts; the same texts give the same tokenizer.

    It has fewer tokens than asked, and says so, where the texts have too few pairs that are frequent enough.
    """
    tokenizer = untrained(config.words)
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=config.minimum_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        # Sorted, because its order is that of ids, and `alphabet` gives another one in each process.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(batches, trainer)
    if (size := tokenizer.get_vocab_size()) < config.vocabulary_size:
        logger.warning(
            "the tokenizer has %d tokens, not %d: the texts have no more pairs that occur %d times.",
            size,
            config.vocabulary_size,
            config.minimum_frequency,
        )
    return tokenizer


def untrained(words: Words) -> Tokenizer:
    """How a text is cut into words and these are written as bytes, before there are tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERNS[words]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
