"""Perplexity: the exponential of a loss, whatever the loss is."""

import math

import pytest

from tasks.metrics.perplexity import perplexity_of


def test_a_model_that_is_undecided_among_equals_has_their_number() -> None:
    assert perplexity_of(math.log(30_522)) == pytest.approx(30_522)


def test_a_perplexity_that_no_float_can_hold_is_infinity() -> None:
    assert perplexity_of(1e4) == perplexity_of(math.inf) == math.inf and perplexity_of(0.0) == 1.0
