"""The n-gram baselines as a whole: what they see, and how good they are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ConfigError, DataError
from tasks.baselines.ngrams.channel import Channel
from tasks.baselines.ngrams.mixture import fit_mixture
from tasks.baselines.ngrams.perplexity import (
    NgramPerplexities,
    Special,
    gather,
    ngram_perplexities,
    perplexity,
)
from tasks.baselines.ngrams.windows import NOT_LABELLED, Positions
from tests.tasks.baselines.ngrams.corpora import (
    CLS,
    MASK,
    PAD,
    SEP,
    SPECIAL,
    VOCABULARY,
    WORDS,
    Masked,
    documents,
    flat,
    freeze,
    masked_sets,
    training_text,
)


def measured(
    rows: list[list[int]], validation: Masked, test: Masked, order: int = 5, piece: int = 1 << 20
) -> NgramPerplexities:
    return ngram_perplexities(*flat(rows), validation, test, VOCABULARY, SPECIAL, order, piece)


@settings(max_examples=25)
@given(documents, masked_sets(), masked_sets(), st.booleans())
def test_probabilities_of_all_tokens_sum_to_one(
    rows: list[list[int]], validation: Masked, test: Masked, clean: bool
) -> None:
    """At each position of the test set, from its context alone and with what it shows."""

    def view(masked: Masked) -> Positions:
        return Positions.clean(masked, 4, PAD) if clean else Positions.hidden(masked, 4, MASK, PAD)

    held_out, asked = view(validation), view(test)
    times = len(asked.targets)
    every = Positions(
        np.tile(np.arange(VOCABULARY), times),
        np.repeat(asked.shown, VOCABULARY),
        np.repeat(asked.around, VOCABULARY, axis=0),
    )
    known, said = gather(training_text(rows), [held_out, every], 5)
    mixture, channel = fit_mixture(known), Channel.of(held_out, MASK, VOCABULARY)
    for found in (
        mixture.probability(said.of_target, said.support),
        channel.probability(every, mixture, said),
    ):
        assert (found > 0).all()
        assert found.reshape(times, VOCABULARY).sum(axis=1) == pytest.approx(1, rel=1e-5)


def cycles(random: np.random.Generator, count: int, length: int) -> list[list[int]]:
    """Texts in which a word nearly always says which the next is."""
    rows = []
    for _ in range(count):
        steps = np.where(random.random(length) < 0.95, 1, random.integers(len(WORDS), size=length))
        rows.append((WORDS.start + (random.integers(len(WORDS)) + np.cumsum(steps)) % len(WORDS)).tolist())
    return rows


@pytest.fixture(scope="module")
def text() -> tuple[list[list[int]], Masked, Masked]:
    """Training documents, validation and test."""
    random = np.random.default_rng(3)
    rows = [[CLS, *row, SEP] for row in cycles(random, 60, 30)]
    return rows, freeze(cycles(random, 30, 30), random), freeze(cycles(random, 30, 30), random)


def test_two_sides_know_more_than_none_and_more_of_a_clean_context(
    text: tuple[list[list[int]], Masked, Masked],
) -> None:
    found = measured(*text)
    assert found.unigram == pytest.approx(len(WORDS), rel=0.1)
    assert found.two_sided_clean < found.two_sided_hidden < found.context_hidden < found.unigram / 2
    assert found.context_clean < found.context_hidden
    assert [row.window for row in found.windows[:2]] == ["w w _ w w", "w w w _ w"]
    assert found.windows[-2].window == "_" and found.windows[-2].known == 1
    assert sum(row.share for row in found.windows) == pytest.approx(1)


def test_the_same_text_twice_and_in_pieces_gives_the_same_figures(
    text: tuple[list[list[int]], Masked, Masked],
) -> None:
    whole = measured(*text)
    assert measured(*text) == whole and measured(*text, piece=101) == whole
    assert NgramPerplexities.model_validate_json(whole.model_dump_json()) == whole


def test_what_is_hidden_changes_nothing_but_its_own_probability(
    text: tuple[list[list[int]], Masked, Masked],
) -> None:
    rows, validation, test = text
    labels = test.labels.copy()
    at = tuple(np.argwhere(test.input_ids == MASK)[5])
    labels[at] = WORDS.start + (labels[at] - WORDS.start + 1) % len(WORDS)
    own = np.flatnonzero((np.argwhere(test.labels != NOT_LABELLED) == at).all(axis=1)).tolist()
    held_out = Positions.hidden(validation, 4, MASK, PAD)
    said = []
    for masked in (test, Masked(test.input_ids, labels)):
        hidden, clean = Positions.hidden(masked, 4, MASK, PAD), Positions.clean(masked, 4, PAD)
        known, *seen = gather(
            training_text(rows), [held_out, hidden, clean], 5
        )  # all at once, as the baseline does
        mixture, channel = fit_mixture(known), Channel.of(held_out, MASK, VOCABULARY)
        said.append([channel.probability(hidden, mixture, evidence) for evidence in seen])
    (hidden_before, clean_before), (hidden_after, clean_after) = said
    assert np.flatnonzero(hidden_before != hidden_after).tolist() == own
    assert len(np.flatnonzero(clean_before != clean_after)) > 1  # the true neighbours are seen there


def test_a_shown_token_that_fits_is_taken_for_true_and_one_that_does_not_for_random(
    text: tuple[list[list[int]], Masked, Masked],
) -> None:
    """4 5 6 7 8 come round: between 4 and 6 stands a 5; by Bayes' rule over what the context says."""
    rows, validation, _ = text
    fits = Masked(np.array([[CLS, 4, 5, 6, SEP]]), np.array([[NOT_LABELLED] * 2 + [5] + [NOT_LABELLED] * 2]))
    positions = Positions.hidden(fits, 4, MASK, PAD)
    held_out = Positions.hidden(validation, 4, MASK, PAD)
    channel = Channel(0.5, MASK, VOCABULARY)
    said = {}
    for shown in (MASK, 5, 7):
        view = replace(positions, shown=np.array([shown]))
        known, seen = gather(training_text(rows), [held_out, view], 5)
        mixture = fit_mixture(known)
        said[shown] = channel.probability(view, mixture, seen)[0]
        if shown == 7:
            of_seven = mixture.probability(seen.of_shown, seen.support)[0]
    assert said[MASK] > 0.8
    assert 1 - said[5] < (1 - said[MASK]) / 5  # both witnesses say so
    random = 0.5 / VOCABULARY
    assert said[7] == pytest.approx(said[MASK] * random / (0.5 * of_seven + random))


def test_the_share_of_kept_tokens_is_that_of_validation() -> None:
    shown, targets = np.array([MASK, 5, 6, 7, 8]), np.array([4, 5, 6, 7, 4])
    positions = Positions(targets, shown, np.zeros((5, 1), dtype=np.int64))
    assert Channel.of(positions, MASK, VOCABULARY).kept == pytest.approx((3 + 1) / (4 + 2))


def test_masks_that_always_hide_leave_nothing_to_see_at_the_position(
    text: tuple[list[list[int]], Masked, Masked],
) -> None:
    rows, *sets = text
    always = [
        Masked(np.where(masked.labels == NOT_LABELLED, masked.input_ids, MASK), masked.labels)
        for masked in sets
    ]
    found = measured(rows, *always)
    assert found.two_sided_hidden == found.context_hidden and found.kept == 0.5


def test_an_order_of_one_is_the_unigram(text: tuple[list[list[int]], Masked, Masked]) -> None:
    found = measured(*text, order=1)
    assert found.context_hidden == found.context_clean == found.unigram
    assert found.unigram == measured(*text).unigram


def test_a_token_that_training_never_had_has_a_probability() -> None:
    seen, new = Masked(np.array([[MASK]]), np.array([[4]])), Masked(np.array([[MASK]]), np.array([[8]]))
    found = measured([[CLS, 4, 4, 4, SEP]], seen, new)
    assert VOCABULARY < found.unigram < 100


def test_a_perplexity_too_large_for_a_number_is_infinity() -> None:
    assert perplexity(np.array([0.25, 0.25])) == pytest.approx(4)
    with np.errstate(divide="ignore"):
        assert perplexity(np.array([0.0, 0.5])) == np.inf


def test_what_cannot_be_asked_is_refused(text: tuple[list[list[int]], Masked, Masked]) -> None:
    rows, validation, test = text
    with pytest.raises(ConfigError, match="an order of 0 and pieces of 5 tokens: expected 1 or more"):
        measured(*text, order=0, piece=5)
    with pytest.raises(ConfigError, match="ids \\(9, 0\\): expected 0 to 8"):
        ngram_perplexities(*flat(rows), validation, test, VOCABULARY, Special(VOCABULARY, PAD))
    with pytest.raises(DataError, match="the training text has no tokens"):
        measured([], validation, test)
    with pytest.raises(DataError, match="the validation set has no labelled position"):
        measured(rows, Masked(test.input_ids, np.full_like(test.labels, NOT_LABELLED)), test)
