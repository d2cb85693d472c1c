"""What a package has to show."""

from pathlib import Path

from tasks.formats.model_facts import answer_facts, read_json, shape_facts
from tasks.formats.section import Section

PACKAGE_READS = ("config.json",)


def package_section(folder: Path) -> Section:
    """What a user gets."""
    config = read_json(folder / "config.json")
    return Section(title="Package", facts=shape_facts(config) + answer_facts(config))
