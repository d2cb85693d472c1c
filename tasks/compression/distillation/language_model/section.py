"""What a smaller masked language model has to show; the curves of its training are drawn beside it."""

from pathlib import Path

from tasks.formats.model_facts import read_json, shape_facts
from tasks.formats.section import Section

READS = ("config.json",)


def distilled_section(folder: Path) -> Section:
    """The student's shape."""
    return Section(title="Distilled student", facts=shape_facts(read_json(folder / "config.json")))


def begun_section(folder: Path) -> Section:
    """The same of a student that has learned nothing yet."""
    return Section(title="Student before training", facts=shape_facts(read_json(folder / "config.json")))
