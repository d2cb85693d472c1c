"""What the pre-training of a causal language model has to show: its shape; its curves are drawn beside it."""

from pathlib import Path

from tasks.formats.model_facts import read_json, shape_facts
from tasks.formats.section import Section

READS = ("config.json",)


def fresh_section(folder: Path) -> Section:
    """The model's shape, before it has read anything."""
    return Section(title="Fresh weights", facts=shape_facts(read_json(folder / "config.json")))


def pretrained_section(folder: Path) -> Section:
    """The same of the trained one."""
    return Section(
        title="Pre-trained",
        facts=shape_facts(read_json(folder / "config.json")),
        notes=(
            "Of validation always the same windows are read, files of repositories that were read otherwise. Utilisation is "
            "the share of the speed that products of large matrices reach on this machine.",
        ),
    )
