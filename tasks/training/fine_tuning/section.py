"""What the teacher's training has to show."""

from pathlib import Path

from tasks.formats.section import Section
from tasks.models.section import checkpoint_section


def teacher_section(folder: Path) -> Section:
    """The teacher's shape."""
    return checkpoint_section("Teacher", folder)
