"""What a masked language model's training has to show; its curves are drawn beside it."""

from pathlib import Path

from tasks.formats.model_facts import read_json, shape_facts
from tasks.formats.section import Section

READS = ("config.json",)


def adapted_section(folder: Path) -> Section:
    """The model's shape."""
    return Section(title="Adapted", facts=shape_facts(read_json(folder / "config.json")))


def headed_section(folder: Path) -> Section:
    """The same of the model that had no head."""
    return Section(
        title="Before: with a head for general text", facts=shape_facts(read_json(folder / "config.json"))
    )


def averaged_section(folder: Path) -> Section:
    """The same of a model between the two."""
    return Section(
        title="Averaged: between before and adapted", facts=shape_facts(read_json(folder / "config.json"))
    )
