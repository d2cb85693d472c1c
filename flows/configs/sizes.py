"""Sizes that a run was given, and those that the data choose."""

from operator import attrgetter
from typing import TypeVar

from pydantic import BaseModel

from flows.configs.end_to_end import EndToEndConfig
from infra.store.references import Pending
from tasks.training.sizes.config import GivenSizes, Plan

Config = TypeVar("Config", bound=BaseModel)

PLACES = {
    "max_length": "train.max_length",
    "teacher_epochs": "train.epochs",
    "student_epochs": "distill.epochs",
    "student_layers": "distill.layers",
    "intermediate_size": "distill.intermediate_size",
    "vocabulary_size": "tokenizer.vocabulary_size",
    "augmented_copies": "distill.augment.copies",
}
# Every model's out-of-scope threshold is chosen for the same traffic.
SHARES = ("compress.expected_share", "baseline.expected_share", "evaluate.predict.expected_share")


def given_sizes(config: EndToEndConfig) -> GivenSizes:
    """Sizes that were set by hand, or by a recipe."""
    return GivenSizes(**{size: attrgetter(place)(config) for size, place in PLACES.items()})


def apply_plan(config: EndToEndConfig, plan: Plan | Pending) -> EndToEndConfig:
    """Fill the sizes that were left to the data; one that was set by hand stays. A dry run may have no data yet."""
    if isinstance(plan, Pending):
        return config
    sizes = {place: getattr(plan, size) for size, place in PLACES.items()}
    # A student cannot be asked for more than its teacher has seen.
    cut = min(plan.max_length, config.train.max_length or plan.max_length)
    sizes |= {"distill.max_length": cut, "bag.max_length": cut}
    source = {"evaluate.expected_share_source": config.expected_share_source}
    for place, value in (sizes | dict.fromkeys(SHARES, config.expected_share) | source).items():
        if attrgetter(place)(config) is None:
            config = with_value(config, place, value)
    return config


def with_value(config: Config, place: str, value: object) -> Config:
    """A config with another value of the field `place`, dotted where it is in a section."""
    name, _, rest = place.partition(".")
    own = with_value(getattr(config, name), rest, value) if rest else value
    return config.model_copy(update={name: own})
