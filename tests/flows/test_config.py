"""What wins: what is given, over the default recipe and over what the data would choose."""

import pytest

from flows.configs.compress import trial_parameters_of, with_trial_parameters
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.sizes import apply_plan
from tasks.search.trial_parameters import TrialParameters
from tasks.training.sizes.config import Plan

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


def test_what_is_switched_off_stays_off_over_the_recipe() -> None:
    asked = EndToEndConfig(dataset={"near_duplicate_threshold": "off"})
    assert asked.dataset.near_duplicate_threshold is None
    assert asked.extract.query is not None


@pytest.mark.parametrize("shape", [(3, 96, 16), (3, 96, 0), (0, 0, 0)])
def test_a_searched_student_is_what_its_config_makes(shape: tuple[int, int, int]) -> None:
    layers, units, rank = shape
    searched = TrialParameters(
        layers=layers, intermediate_size=units, vocabulary_size=700, epochs=9, alpha=0.0, temperature=3.5,
        embedding_rank=rank, weights="int4",
    )  # fmt: skip
    sized = apply_plan(EndToEndConfig(distill={"layers": 1, "embedding_rank": 8}), LONG_TEXTS)
    made = with_trial_parameters(sized, searched)
    assert trial_parameters_of(made) == searched
    assert EndToEndConfig.model_validate(made.model_dump()) == made
    assert (made.distill.epochs, made.bag.epochs) == (9, 9)
