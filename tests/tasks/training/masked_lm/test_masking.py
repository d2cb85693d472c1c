"""What is masked, how often, and as what it is shown."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from infra.errors import ConfigError
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.blocks import token_counts
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Vocabulary, first_of_word, mask_rows
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_tokenizer
from tests.tasks.training.masked_lm.toy import FIRST, VOCABULARY_IDS, objective_of, random_blocks

BLOCKS = random_blocks(400, 64)
DRAW = Draw(0, 0)
KINDS = ("token", "whole_word")


def masked_blocks(blocks=BLOCKS, draw=DRAW, **asked):
    """`input_ids` and `labels` of all blocks, int64 [blocks, length]."""
    rows = np.arange(len(blocks))
    found = mask_rows([*blocks.ids], [*blocks.starts], rows, draw, MaskingConfig(**asked), VOCABULARY_IDS)
    return tuple(np.stack(part) for part in zip(*found, strict=True))


def is_near(count, trials, share):
    """Whether a binomial count is within four and a half deviations of what is expected: once in 150,000 it is not."""
    return abs(count - trials * share) <= 4.5 * math.sqrt(trials * share * (1 - share)) + 1e-9


def words_of(blocks):
    """A number for each token's word over all blocks; special tokens have none, -1."""
    special = VOCABULARY_IDS.is_special[blocks.ids]
    rows = zip(blocks.starts, special, strict=True)
    first = np.stack([first_of_word(starts, own) for starts, own in rows])
    return np.where(special, -1, first + np.arange(len(first))[:, None] * first.shape[1])


@pytest.mark.parametrize(("rate", "expected"), [(None, 0.15), (0.3, 0.3), (0.9, 0.9)])
def test_tokens_are_masked_at_their_rate(rate, expected):
    _, labels = masked_blocks(rate=rate)
    ordinary = ~VOCABULARY_IDS.is_special[BLOCKS.ids]
    assert is_near((labels != IGNORED).sum(), ordinary.sum(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_of_a_block_and_every_pass_is_masked_at_the_rate(kind):
    passes = [masked_blocks(kind=kind, rate=0.3, draw=Draw(0, epoch))[1] != IGNORED for epoch in range(5)]
    masked, ordinary = np.stack(passes), ~VOCABULARY_IDS.is_special[BLOCKS.ids]
    for place in range(BLOCKS.ids.shape[1]):
        assert is_near(masked[:, :, place].sum(), 5 * ordinary[:, place].sum(), 0.3)
    tokens = 1 if kind == "token" else 4  # of a word, at most: they are masked or not together
    for one in masked:
        assert abs(one.sum() / ordinary.sum() - 0.3) < 4.5 * math.sqrt(0.3 * 0.7 * tokens / ordinary.sum())


@pytest.mark.parametrize(("rate", "expected"), [(None, 0.2), (0.5, 0.5)])
def test_words_are_masked_at_their_rate_and_as_one(rate, expected):
    shown, labels = masked_blocks(kind="whole_word", rate=rate)
    words, masked = words_of(BLOCKS), labels != IGNORED
    hidden, open_ = set(words[masked]), set(words[~masked]) - {-1}
    assert not hidden & open_ and -1 not in hidden
    assert is_near(len(hidden), len(hidden | open_), expected)
    assert len({*np.unique(words, return_counts=True)[1].tolist()}) > 3  # words of many lengths
    assert (shown[masked] == VOCABULARY_IDS.mask).all()  # as in the course


@pytest.mark.parametrize("kind", KINDS)
def test_masked_tokens_are_shown_as_mask_random_or_themselves_in_their_shares(kind):
    shown, labels = masked_blocks(kind=kind, rate=0.5, mask_share=0.8, random_share=0.1)
    masked = labels != IGNORED
    total, other = masked.sum(), len(VOCABULARY_IDS.ordinary)
    hidden, kept = shown[masked] == VOCABULARY_IDS.mask, shown[masked] == labels[masked]
    assert is_near(hidden.sum(), total, 0.8)
    assert is_near(kept.sum(), total, 0.1 + 0.1 / other)  # a random token may be the true one
    drawn = shown[masked][~hidden & ~kept]
    assert {*drawn.tolist()} == {*range(FIRST, len(VOCABULARY))}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_outside_the_mask_has_a_label_or_is_changed_and_special_tokens_never(kind):
    shown, labels = masked_blocks(kind=kind, rate=0.5, mask_share=0.4, random_share=0.4)
    masked = labels != IGNORED
    assert (labels[masked] == BLOCKS.ids[masked]).all()
    assert (shown[~masked] == BLOCKS.ids[~masked]).all()
    special = VOCABULARY_IDS.is_special[BLOCKS.ids]
    assert special.any() and not masked[special].any()
    assert {*shown[masked & (shown != BLOCKS.ids)].tolist()} <= {VOCABULARY_IDS.mask, *range(FIRST, 32)}


@given(
    st.lists(st.tuples(st.integers(0, len(VOCABULARY) - 1), st.booleans()), min_size=1, max_size=40),
    st.sampled_from(KINDS),
    st.floats(0.05, 0.99),
    st.integers(0, 10),
)
def test_no_special_token_is_masked_changed_or_drawn_in_any_row(tokens, kind, rate, row):
    """Padding, unknown and mask tokens of the text among them."""
    ids, starts = (np.array(part) for part in zip(*tokens, strict=True))
    config = MaskingConfig(kind=kind, rate=rate, mask_share=0.4, random_share=0.4)
    (found,) = mask_rows([ids], [starts], np.array([row]), DRAW, config, VOCABULARY_IDS)
    special, masked = ids < FIRST, found.labels != IGNORED
    assert not masked[special].any() and (found.labels[masked] == ids[masked]).all()
    assert (found.input_ids[~masked] == ids[~masked]).all()
    assert ((found.input_ids[masked] >= FIRST) | (found.input_ids[masked] == VOCABULARY_IDS.mask)).all()


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, len(BLOCKS) - 1), min_size=1, max_size=8, unique=True),
    st.integers(0, 2**31 - 1),
    st.integers(0, 100),
    st.sampled_from(KINDS),
)
def test_a_blocks_masks_are_its_own_whatever_batch_it_is_in(rows, seed, epoch, kind):
    objective, draw = objective_of(BLOCKS, kind=kind), Draw(seed, epoch)
    together = objective.batch(np.array(rows), draw)
    for place, row in enumerate(rows):
        alone = objective.batch(np.array([row]), draw)
        assert all(torch.equal(a[place], b[0]) for a, b in zip(together, alone, strict=True))


def test_masks_differ_between_blocks_passes_and_seeds():
    masks = [masked_blocks(draw=draw)[1] != IGNORED for draw in (Draw(0, 0), Draw(0, 1), Draw(1, 0))]
    assert len({row.tobytes() for mask in masks for row in mask}) == 3 * len(BLOCKS)
    # Not even moved: what two blocks mask in common is what chance has in common.
    first, next_ = masks[0][:-1], masks[0][1:]
    for moved in range(8):
        both = (first[:, moved:] & next_[:, : next_.shape[1] - moved]).mean()
        assert both == pytest.approx(masks[0].mean() ** 2, abs=0.005)


STOOD = [[0, 2, 11], [2, 4, 6, 7, 8, 14, 15]]


def test_masks_stay_what_they_were():
    """Artifacts are made of them: a change of these numbers is a new version of every stage that trains on masks."""
    _, labels = masked_blocks(random_blocks(2, 16))
    assert [np.flatnonzero(row != IGNORED).tolist() for row in labels] == STOOD


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_words_end_at_special_tokens_and_begin_where_they_say(tokens):
    starts, special = (np.array([token[i] for token in tokens], dtype=bool) for i in (0, 1))
    first = first_of_word(starts, special)
    for place in range(len(tokens)):
        new = place == 0 or starts[place] or special[place] or special[place - 1]
        assert first[place] == (place if new else first[place - 1])


def test_transformers_collator_masks_the_same_way():
    tokenizer = tiny_tokenizer()
    collator = DataCollatorForLanguageModeling(tokenizer, seed=0)
    other = collator([{"input_ids": row} for row in BLOCKS.ids.tolist()])
    theirs = {"shown": other["input_ids"].numpy(), "labels": other["labels"].numpy()}
    shown, labels = masked_blocks()
    special = VOCABULARY_IDS.is_special[BLOCKS.ids]
    for shown_, labels_ in ((shown, labels), (theirs["shown"], theirs["labels"])):
        masked = labels_ != IGNORED
        assert (labels_[masked] == BLOCKS.ids[masked]).all() and not masked[special].any()
        assert (shown_[~masked] == BLOCKS.ids[~masked]).all()
        assert is_near(masked.sum(), (~special).sum(), 0.15)
        # Theirs draws random tokens from the whole vocabulary, special ones too: one in 32 is the mask token.
        assert is_near((shown_[masked] == tokenizer.mask_token_id).sum(), masked.sum(), 0.8 + 0.1 / 32)
        assert is_near((shown_[masked] == labels_[masked]).sum(), masked.sum(), 0.1 + 0.1 / 32)


def test_transformers_collator_masks_whole_words_at_the_same_rate():
    tokenizer = tiny_tokenizer()
    text = " ".join(["accounts hotels weatherly my balance is coldly"] * 8)
    given_ = tokenizer([text] * 300, return_offsets_mapping=True, return_special_tokens_mask=True)
    rows = [{name: given_[name][i] for name in given_} for i in range(300)]
    collator = DataCollatorForLanguageModeling(
        tokenizer,
        whole_word_mask=True,
        mlm_probability=0.2,
        mask_replace_prob=1.0,
        random_replace_prob=0.0,
        seed=0,
    )
    theirs = collator(rows)["labels"].numpy() != IGNORED
    words = [-1 if word is None else word for word in given_.word_ids(0)]
    starts = np.array([place == 0 or words[place] != words[place - 1] for place in range(len(words))])
    ids = np.tile(np.array(given_["input_ids"][0]), (300, 1))
    found = mask_rows(
        [*ids], [starts] * 300, np.arange(300), Draw(0, 0), MaskingConfig(kind="whole_word"), VOCABULARY_IDS
    )
    ours = np.stack([row.labels for row in found]) != IGNORED
    ordinary = [place for place in np.flatnonzero(starts) if ids[0, place] >= FIRST]
    assert len(ordinary) < (ids[0] >= FIRST).sum()  # some words have several tokens
    for masked in (ours, theirs):
        assert is_near(masked[:, ordinary].sum(), 300 * len(ordinary), 0.2)
        first = first_of_word(starts, VOCABULARY_IDS.is_special[ids[0]])
        assert (masked == masked[:, first]).all()


def test_special_tokens_are_not_counted():
    counts = token_counts(BLOCKS, VOCABULARY_IDS)
    assert counts[:FIRST].tolist() == [0] * FIRST
    assert counts.sum() == (BLOCKS.ids >= FIRST).sum()
    assert counts[7] == (BLOCKS.ids == 7).sum()


def test_a_tokenizer_without_a_mask_token_is_refused():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer().backend_tokenizer)
    with pytest.raises(ConfigError, match="no mask token"):
        Vocabulary.of(tokenizer)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": 1}, {"mask_share": 0.95}, {"mask_share": 0.5, "random_share": 0.6}]
)
def test_shares_without_meaning_are_refused(wrong):
    with pytest.raises(ValidationError):
        MaskingConfig(**wrong)
    assert MaskingConfig(kind="whole_word", mask_share=0.8, random_share=0.1).shares == (0.2, 0.8, 0.1)
