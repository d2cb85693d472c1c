"""Figures of a tokenizer, checked against counts by hand."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from infra.errors import DataError
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.measure import compare_tokenizers, measure_tokenizer


def small(*tokens: str) -> Tokenizer:
    """WordPiece over these tokens, cut at blanks and punctuation."""
    names = ("[UNK]", *tokens)
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def test_figures_are_those_counted_by_hand():
    measured = measure_tokenizer(small("pay", "bill", "##s", ",", "now"), ["pay bills, now", "zzz"])
    # pay | bill ##s | , | now || [UNK]: 6 tokens, 5 words, one in two pieces, 17 characters, 6 names used
    assert measured.fertility == pytest.approx(6 / 5)
    assert measured.unknown_rate == pytest.approx(1 / 6)
    assert measured.continued_words == pytest.approx(1 / 5)
    assert measured.tokens_per_character == pytest.approx(6 / 17)
    assert measured.vocabulary_used == 1.0


def test_a_bytes_tokenizer_is_measured_by_the_same_words():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    vocab = {"Ġ": 0, "p": 1, "a": 2, "y": 3, "Ġp": 4, "Ġpa": 5, "Ġpay": 6, "m": 7, "e": 8}
    tokenizer.model = models.BPE(vocab, [("Ġ", "p"), ("Ġp", "a"), ("Ġpa", "y")])
    measured = measure_tokenizer(tokenizer, ["pay me"])
    # Ġpay | Ġ m e: the token of the blank alone belongs to no word
    assert measured.fertility == pytest.approx(4 / 2)
    assert measured.continued_words == pytest.approx(1 / 2)
    assert measured.unknown_rate == 0.0


def test_shares_kept_compare_with_the_base_tokenizer():
    base, fewer = small("pay", "bill", "##s", "now"), small("pay", "bill", "##s")
    report = compare_tokenizers(
        base,
        fewer,
        ["pay bills", "pay now"],
        asked=TokenizerConfig(vocabulary_size=16),
        kept_ids=np.array([0, 1, 2, 3]),
    )
    assert report.coverage == pytest.approx(4 / 5) and report.unchanged_texts == pytest.approx(1 / 2)
    assert (report.texts, report.words, report.asked_size) == (2, 4, 16)
    assert report.metrics()["unknown_rate"] == pytest.approx(1 / 5)
    assert report.metrics()["unknown_rate_before"] == 0.0


def test_texts_without_a_word_are_an_error_and_an_empty_text_is_not():
    tokenizer, config = small("pay"), TokenizerConfig(mode="keep")
    with pytest.raises(DataError, match="no words in 2 texts"):
        compare_tokenizers(tokenizer, tokenizer, ["", "  "], asked=config, kept_ids=None)
    report = compare_tokenizers(tokenizer, tokenizer, ["", "pay"], asked=config, kept_ids=None)
    assert report.after.fertility == 1.0 and report.coverage is None
