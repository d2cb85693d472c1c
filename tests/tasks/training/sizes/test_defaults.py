import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.configs.compress import trial_parameters_of, with_trial_parameters
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.sizes import apply_plan, given_sizes
from infra.store.references import Pending
from tasks.formats.dataset import DatasetInfo
from tasks.training.sizes.config import GivenSizes
from tasks.training.sizes.defaults import max_length, plan_sizes


def info(rows: int, words_p50: int = 8, words_p99: int = 17) -> DatasetInfo:
    counts = {"train": rows, "validation": rows // 10 + 1, "test": rows // 10 + 1}
    return DatasetInfo(
        labels=("a", "b"), out_of_scope=None, rows=counts, words_p50=words_p50, words_p99=words_p99
    )


OWN_TABLE = {"table": ("tickets.csv",)}


@given(st.integers(1, 2_000_000), st.integers(1, 2_000_000))
def test_more_rows_are_never_seen_more_often(one: int, other: int) -> None:
    few, many = plan_sizes(info(min(one, other))), plan_sizes(info(max(one, other)))
    assert few.teacher_epochs >= many.teacher_epochs
    assert few.augmented_copies >= many.augmented_copies


@given(st.integers(1, 10_000))
def test_texts_are_cut_at_a_multiple_of_sixteen_within_bounds(words: int) -> None:
    assert max_length(words) % 16 == 0
    assert 64 <= max_length(words) <= 256


def test_long_texts_get_a_deeper_student_and_more_tokens() -> None:
    short, long = plan_sizes(info(1000)), plan_sizes(info(1000, words_p50=120, words_p99=400))
    assert (short.student_layers, long.student_layers) == (2, 3)
    assert long.vocabulary_size > short.vocabulary_size
    assert long.seconds > short.seconds


def test_sizes_that_were_left_out_are_filled() -> None:
    plan = plan_sizes(info(7_575))
    sized = apply_plan(EndToEndConfig(extract=OWN_TABLE), plan)
    assert sized.train.epochs == plan.teacher_epochs
    assert sized.distill.layers == plan.student_layers
    assert sized.distill.augment.copies == plan.augmented_copies
    assert sized.tokenizer.vocabulary_size == plan.vocabulary_size


def test_a_bag_cuts_texts_where_the_teacher_does_unless_it_is_told() -> None:
    long = plan_sizes(info(1000, words_p50=120, words_p99=400))
    assert apply_plan(EndToEndConfig(extract=OWN_TABLE), long).bag.max_length == long.max_length == 256
    asked = EndToEndConfig(extract=OWN_TABLE, bag={"max_length": 32})
    assert apply_plan(asked, long).bag.max_length == 32


def test_the_first_student_of_a_search_is_the_one_that_end_to_end_makes() -> None:
    plan = plan_sizes(info(7_575))
    for asked in ({}, {"layers": 0}):
        sized = apply_plan(
            EndToEndConfig(extract=OWN_TABLE, distill={"alpha": 0.4, **asked}, bag={"epochs": 3}), plan
        )
        made = with_trial_parameters(sized, trial_parameters_of(sized))
        assert (made.bag if asked else made.distill) == (sized.bag if asked else sized.distill)


def test_what_is_given_is_in_the_plan_and_in_its_time() -> None:
    chosen, given = (
        plan_sizes(info(7_575)),
        plan_sizes(info(7_575), GivenSizes(student_epochs=40, vocabulary_size=500)),
    )
    assert (given.student_epochs, given.vocabulary_size) == (40, 500)
    assert given.teacher_epochs == chosen.teacher_epochs
    assert given.seconds > 2 * chosen.seconds


def test_a_recipes_sizes_are_those_of_the_plan() -> None:
    asked = EndToEndConfig(
        extract=OWN_TABLE, train={"epochs": 4}, distill={"layers": 0, "augment": {"copies": 3}}
    )
    plan = plan_sizes(info(7_575), given_sizes(asked))
    assert (plan.teacher_epochs, plan.student_layers, plan.augmented_copies) == (4, 0, 3)


def test_sizes_that_were_set_by_hand_stay() -> None:
    asked = EndToEndConfig(
        extract=OWN_TABLE,
        train={"epochs": 1, "max_length": 48},
        distill={"layers": 1, "max_length": 32, "augment": {"copies": 0}},
    )
    sized = apply_plan(asked, plan_sizes(info(7_575)))
    assert (sized.train.epochs, sized.train.max_length) == (1, 48)
    assert (sized.distill.layers, sized.distill.max_length, sized.distill.augment.copies) == (1, 32, 0)


def test_a_student_is_not_asked_for_longer_texts_than_its_teacher() -> None:
    sized = apply_plan(EndToEndConfig(extract=OWN_TABLE, train={"max_length": 32}), plan_sizes(info(7_575)))
    assert sized.distill.max_length == 32


def test_one_expected_share_reaches_every_threshold_and_a_section_s_own_is_stronger() -> None:
    asked = EndToEndConfig(extract=OWN_TABLE, expected_share=0.2, baseline={"expected_share": 0.5})
    sized = apply_plan(asked, plan_sizes(info(100)))
    assert sized.compress.expected_share == 0.2
    assert sized.evaluate.predict.expected_share == 0.2
    assert sized.baseline.expected_share == 0.5


def test_a_dry_run_without_data_yet_leaves_the_config_as_it_is() -> None:
    config = EndToEndConfig(extract=OWN_TABLE)
    assert apply_plan(config, Pending(name="curate", kind="miss")) == config


@pytest.mark.parametrize("extract", [{"table": ("x.csv",)}, {"query": "x.sql", "table": ("x.csv",)}])
def test_an_own_table_does_not_get_the_default_recipe(extract: dict[str, object]) -> None:
    assert EndToEndConfig(extract=extract).release.name != EndToEndConfig().release.name


def test_without_a_table_it_is_the_default_recipe_with_what_was_asked_on_top() -> None:
    config = EndToEndConfig(extract={"parameters": {"domains": ("banking",)}}, release={"name": "me/mine"})
    assert config.extract.query is not None
    assert config.extract.query.name == "intents.sql"
    assert config.extract.parameters == {"domains": ("banking",)}
    assert config.release.name == "me/mine"
    assert config.publish.license == "cc-by-3.0"
