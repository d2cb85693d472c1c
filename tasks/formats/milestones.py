"""Where an artifact has the models of its training's way (`tasks/training/milestones.py`)."""

from pathlib import Path

from pydantic import Field

from tasks.formats.value import Value

FOLDER = "milestones"
PREFIX = "step-"


def milestones_of(artifact: Path) -> list[tuple[int, Path]]:
    """Each milestone's step and folder, in the order of the steps; none where none were asked for."""
    folders = sorted((artifact / FOLDER).glob(f"{PREFIX}*"))
    return [(int(folder.name.removeprefix(PREFIX)), folder) for folder in folders]


class PushedMilestones(Value):
    """What an action made of them."""

    repo: str = Field(description="owner/name")
    revisions: dict[int, str] = Field(description="the revision of each step, 40 hex digits")
