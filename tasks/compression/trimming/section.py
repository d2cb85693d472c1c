"""What a model that was cut without training has to show."""

from pathlib import Path

from tasks.formats.section import Section
from tasks.models.section import checkpoint_section


def shrunk_section(folder: Path) -> Section:
    """A checkpoint cut without training."""
    return checkpoint_section("Smaller student", folder)
