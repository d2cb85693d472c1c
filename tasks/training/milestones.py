"""Milestones: the model as it was on the way, each a checkpoint of its own.

    <artifact>/milestones/step-00000300/    files as of the stage's own checkpoint

They are written beside the training's checkpoints and move to the artifact at its end, so a run that was killed has them
still. An action pushes them.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from accelerate import PartialState

from infra.errors import StoreError
from tasks.formats.milestones import FOLDER, PREFIX
from tasks.training.loop.loop import Keep


class Milestones(NamedTuple):
    """One at each `every`-th evaluation (None: none), written into a folder by `save`."""

    every: int | None
    save: Callable[[Path], None]

    def keeper(self, work_dir: Path, interval: int) -> Keep | None:
        """What the loop is to call, whose evaluations lie `interval` steps apart. Raises StoreError where `save` does."""
        if self.every is None:
            return None
        steps = self.every * interval

        def keep(step: int) -> None:
            if step % steps == 0:
                self._write(work_dir / FOLDER / f"{PREFIX}{step:08d}")

        return keep

    def _write(self, folder: Path) -> None:
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        self.save(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)


def move_milestones(work_dir: Path, output_dir: Path) -> None:
    """Into the artifact, where there are some. Raises StoreError when the disk does not take them.

    Of several processes the main one alone moves them: the folder that training works in is one for all.
    """
    found = work_dir / FOLDER
    if not found.is_dir() or not PartialState().is_main_process:
        return
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        for partial in found.glob("*.partial"):
            shutil.rmtree(partial)
        shutil.move(found, output_dir / FOLDER)
    except OSError as error:
        raise StoreError(
            f"milestones could not be moved to {output_dir} ({error}). Free some space, then run again."
        ) from error
