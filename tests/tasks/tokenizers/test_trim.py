"""Which tokens a trimmed vocabulary keeps, and in what order."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from infra.errors import ConfigError
from tasks.tokenizers.trim import TextCounts, choose_tokens, count_texts, script_of
from tasks.tokenizers.wordpiece import WordPiece, with_tokens
from tests.tasks.tokenizers.tables import read_clinc


def tokens_of(base: WordPiece, kept: np.ndarray) -> list[str]:
    return [base.tokens[i] for i in kept.tolist()]


def no_texts(base: WordPiece) -> TextCounts:
    return TextCounts(np.zeros(max(base.tokens) + 1, dtype=np.int64), Counter())


def test_special_tokens_come_first_and_padding_is_zero(base):
    kept = choose_tokens(base, no_texts(base), 2_000)
    assert tokens_of(base, kept)[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(kept) == len(set(kept.tolist())) == 2_000
    assert np.all(np.diff(kept[5:]) > 0)


def test_tokens_of_the_texts_are_kept_before_commoner_ones(base):
    counts = count_texts(base, [["a hypoallergenic croissant", "croissant"]])
    kept = set(tokens_of(base, choose_tokens(base, counts, 600)))
    assert {"cr", "##ois", "##sant"} <= kept
    assert "##sant" not in tokens_of(base, choose_tokens(base, no_texts(base), 600))


def test_frequent_tokens_win_when_not_all_fit(base):
    counts = count_texts(base, [["savings"] * 3 + ["mortgage"] * 2 + ["calories"]])
    room = len(choose_characters(base, counts)) + len(base.special)
    kept = set(tokens_of(base, choose_tokens(base, counts, room + 2)))
    assert {"savings", "mortgage"} <= kept and "calories" not in kept


def choose_characters(base: WordPiece, counts: TextCounts) -> list[str]:
    kept = tokens_of(base, choose_tokens(base, counts, 3_000))
    single = set(base.characters)
    return [token for token in kept if token in single]


def test_a_script_of_the_texts_is_kept_whole_and_others_are_not(base):
    latin = set(choose_characters(base, count_texts(base, [["hello"]])))
    russian = set(choose_characters(base, count_texts(base, [["привет мир"]])))
    assert {"a", "##a", "7", "##7", "?", "€", "’", "þ"} <= latin & russian
    assert "щ" not in latin and {"щ", "##щ"} <= russian
    assert not {"の", "一", "ب"} & (latin | russian)


def test_one_foreign_letter_among_thousands_brings_itself_and_not_its_script(base):
    kept = set(choose_characters(base, count_texts(base, [["plain english text"] * 500 + ["привет"]])))
    assert {"п", "##р"} <= kept and "щ" not in kept


def test_all_characters_can_be_asked_for(base):
    kept = set(tokens_of(base, choose_tokens(base, no_texts(base), 2_000, characters="all")))
    assert set(base.characters) <= kept


def test_too_small_a_size_names_the_least_and_that_one_works(base):
    with pytest.raises(ConfigError, match=r"vocabulary_size is 100: expected at least (\d+)") as raised:
        choose_tokens(base, no_texts(base), 100)
    least = int(str(raised.value).split("at least ")[1].split()[0])
    assert len(choose_tokens(base, no_texts(base), least)) == least
    with pytest.raises(ConfigError, match="expected at least"):
        choose_tokens(base, no_texts(base), least - 1)


def test_a_size_beyond_the_base_vocabulary_keeps_all_and_says_so(base, caplog):
    kept = choose_tokens(base, no_texts(base), 50_000)
    assert len(kept) == len(base.special) + len(base.reachable)
    assert "50000" in caplog.text and str(len(kept)) in caplog.text


def test_the_same_counts_give_the_same_tokens_whatever_the_batches(base):
    texts = ["pay the bill", "freeze my account", "what is the weather"]
    one = choose_tokens(base, count_texts(base, [texts]), 1_000)
    three = choose_tokens(base, count_texts(base, [[text] for text in reversed(texts)]), 1_000)
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize(
    ("character", "script"),
    [
        ("a", "LATIN"),
        ("щ", "CYRILLIC"),
        ("一", "CJK"),
        ("ा", "DEVANAGARI"),
        ("7", None),
        ("€", None),
        ("\ue000", None),
    ],
)
def test_scripts_are_read_off_unicode_names(character, script):
    assert script_of(character) == script


@pytest.fixture(scope="module")
def clinc(base: WordPiece, shared_data: Path) -> tuple[TextCounts, list[str], list[list[int]]]:
    """Counts of CLINC150's training split; the texts of its test split and their base ids."""
    texts = read_clinc(shared_data, "test")
    before = base.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return count_texts(base, [read_clinc(shared_data, "train")]), texts, [encoding.ids for encoding in before]


@pytest.mark.parametrize(("size", "unchanged", "longer"), [(4_000, 0.67, 1.12), (8_000, 0.80, 1.05)])
def test_clinc_test_split_has_nothing_unknown_and_few_texts_change(base, clinc, size, unchanged, longer):
    counts, texts, before = clinc
    kept = choose_tokens(base, counts, size)
    tokenizer = with_tokens(base, kept)
    after = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    assert not any(tokenizer.token_to_id("[UNK]") in ids for ids in after)
    same = [kept[new].tolist() == old for new, old in zip(after, before, strict=True)]
    assert sum(same) / len(texts) >= unchanged
    assert sum(map(len, after)) / sum(map(len, before)) <= longer
