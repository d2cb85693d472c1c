"""What wins: what is given, over the default recipe and over what the data would choose."""

import pytest

from flows.config import EndToEndConfig, apply_plan
from tasks.planning.defaults import Plan

LONG_TEXTS = Plan(
    max_length=112, teacher_epochs=3, student_epochs=4, student_layers=2, intermediate_size=768,
    vocabulary_size=10_000, augmented_copies=5, seconds=600,
)  # fmt: skip


def test_a_value_that_is_the_default_is_given_and_wins_over_the_recipe() -> None:
    asked = EndToEndConfig(
        dataset={"out_of_scope_label": "auto"}, release={"title": "A small text classifier"}
    )
    assert asked.dataset.out_of_scope_label == "auto"
    assert asked.release.title == "A small text classifier"
    assert asked.release.name == EndToEndConfig().release.name


@pytest.mark.parametrize("section", ["distill", "bag"])
def test_a_length_that_is_given_wins_over_the_data(section: str) -> None:
    sized = apply_plan(EndToEndConfig(**{section: {"max_length": 64}}), LONG_TEXTS)
    lengths = {"distill": sized.distill.max_length, "bag": sized.bag.max_length}
    assert lengths.pop(section) == 64
    assert list(lengths.values()) == [112]


def test_null_of_a_section_that_has_a_meaning_for_it_stays() -> None:
    asked = EndToEndConfig(dataset={"near_duplicate_threshold": None})
    assert asked.dataset.near_duplicate_threshold is None
    assert asked.extract.query is not None
