"""What a checkpoint has to show: its shape and how it answers. Its training curves are shown beside it, where it has any."""

from pathlib import Path

from tasks.formats.model_facts import answer_facts, read_json, shape_facts
from tasks.formats.section import Section

READS = ("config.json", "classifier.json")


def checkpoint_section(title: str, folder: Path) -> Section:
    """Raises OSError or ValueError when the folder is no checkpoint."""
    facts = shape_facts(read_json(folder / "config.json")) + answer_facts(
        read_json(folder / "classifier.json")
    )
    return Section(title=title, facts=facts)
