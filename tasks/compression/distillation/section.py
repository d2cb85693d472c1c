"""What distillation and pruning have to show."""

from pathlib import Path

from tasks.formats.section import Section
from tasks.models.section import checkpoint_section


def student_section(folder: Path) -> Section:
    """The student's shape, whatever it is of."""
    return checkpoint_section("Student", folder)


def pruned_section(folder: Path) -> Section:
    """The shape of a model that lost weights: zeros in its matrices, which it keeps."""
    return checkpoint_section("Pruned student", folder)
