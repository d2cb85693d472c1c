"""What the teacher's training has to show."""

from pathlib import Path

from tasks.encoder.section import checkpoint_section
from tasks.results.section import Section


def teacher_section(folder: Path) -> Section:
    """The teacher's shape."""
    return checkpoint_section("Teacher", folder)
