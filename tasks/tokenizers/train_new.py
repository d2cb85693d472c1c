"""Train a tokenizer from a stream: byte-level BPE (Radford et al. 2019) or WordPiece (Devlin et al. 2018).

The trainers count distinct words, so memory grows with these and not with the rows.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from infra.errors import ConfigError, DataError
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.files import ANY_TOKENIZER, Settings

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SPECIAL_NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
PREFIX = "##"
MOST_CHARACTERS = 1_000

Stream = Callable[[], Iterable[list[str]]]


def train_tokenizer(config: TokenizerConfig, size: int, texts: Stream) -> Tokenizer:
    """A tokenizer of at most `size` tokens, with [CLS] and [SEP] around a text; each `texts()` starts anew.

    It has fewer tokens where the texts do not have as many pairs that are frequent enough. Raises
    ConfigError when the size does not hold the special tokens and single characters, DataError when there is
    no text.
    """
    train = _train_wordpiece if config.algorithm == "wordpiece" else _train_byte_level_bpe
    tokenizer = train(config, size, texts)
    if (least := tokenizer.get_vocab_size()) > size:
        raise ConfigError(
            f"tokenizer.vocabulary_size is {size}: expected at least {least} for the special tokens and "
            f"single characters of a {config.algorithm} vocabulary. Ask for more tokens."
        )
    start, end = SPECIAL_TOKENS[2], SPECIAL_TOKENS[3]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return tokenizer


def new_settings(max_length: int) -> Settings:
    """tokenizer_config.json of a new tokenizer; `max_length` is the model's number of positions."""
    special = dict(zip(SPECIAL_NAMES, SPECIAL_TOKENS, strict=True))
    return {"tokenizer_class": ANY_TOKENIZER, "model_max_length": max_length, **special}


def _train_byte_level_bpe(config: TokenizerConfig, size: int, texts: Stream) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if config.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    # With a blank before it the first word of a text is the same token as anywhere else.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=config.minimum_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def _train_wordpiece(config: TokenizerConfig, size: int, texts: Stream) -> Tokenizer:
    """WordPiece whose characters have both forms, at the start of a word and within: none is ever unknown.

    The trainer numbers the forms within a word in the order of a hash map, which differs in each process,
    and breaks ties between merges by number. Given to it beforehand as special tokens they have numbers of
    their own, and the same texts give the same vocabulary.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS[1]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=PREFIX)
    alphabet = _alphabet(tokenizer, texts())
    within = [c for c in alphabet if len(tokenizer.pre_tokenizer.pre_tokenize_str(f"{c}{c}")) == 1]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=config.minimum_frequency,
        special_tokens=[*SPECIAL_TOKENS, *(PREFIX + c for c in within)],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=PREFIX,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] in SPECIAL_TOKENS]
    return Tokenizer.from_str(json.dumps(spec))


def _alphabet(tokenizer: Tokenizer, batches: Iterable[list[str]]) -> list[str]:
    """The commonest characters of all words as the tokenizer normalizes them, sorted."""
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update(tokenizer.normalizer.normalize_str("\n".join(batch)))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    if not ranked:
        raise DataError(
            "the training texts have no words: expected text to learn a vocabulary from. Look at the rows."
        )
    return sorted(ranked[:MOST_CHARACTERS])
