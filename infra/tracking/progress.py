"""A stage's progress in Prefect's UI. Shown when a server keeps it; a refusal never stops the stage."""

import logging
import os
import time
from uuid import UUID

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_UPDATES = 5.0


class Progress:
    """A bar in Prefect's UI for the task under way, made at the first update."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._artifact: UUID | None = None
        self._last = 0.0
        # Without `stillhouse up` nobody watches: the ephemeral server would only cost time.
        self._watched = "PREFECT_API_URL" in os.environ

    def update(self, done: float) -> None:
        """Show `done` (0 to 1), at most once every few seconds."""
        now = time.monotonic()
        if not self._watched or (now - self._last < SECONDS_BETWEEN_UPDATES and done < 1.0):
            return
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        self._last, percent = now, min(max(done, 0.0), 1.0) * 100
        try:
            if self._artifact is None:
                made = create_progress_artifact(
                    percent, key=f"{self.stage.replace('_', '-')}-progress", description=self.stage
                )
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, percent)
        except Exception as error:  # Any fault of Prefect's server: a bar is not worth a training.
            self._watched = False
            logger.warning(
                "Prefect's server did not take the progress of %s (%s); the stage goes on.", self.stage, error
            )
