"""Runs that ended while the tracking server was out: the next run that reaches it closes them."""

import json
import logging
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from infra.files import make_folder, write_atomically
from infra.settings import Settings, without_credentials
from infra.tracking.values import Refused, Runs

logger = logging.getLogger(__name__)


class _Ended(BaseModel, frozen=True):
    """How a run ended, and where it is still shown as running."""

    server: str
    status: str


class LeftOpen:
    """A small file a run, under home; those of one server."""

    def __init__(self, settings: Settings, uri: str) -> None:
        self._settings = settings
        self._folder = settings.mlflow_database.parent / "left-open"
        # Where the server is the home's own, its address may be another one next time.
        self._server = without_credentials(uri) if settings.mlflow_uri else ""

    def note(self, run: str, status: str) -> None:
        """Remember how a run ended. A disk that takes no note is said: what the run itself ended with counts more."""
        told = _Ended(server=self._server, status=status)
        try:
            make_folder(self._settings, self._folder)
            write_atomically(self._path(run), json.dumps(told.model_dump()) + "\n")
        except OSError as error:
            logger.warning(
                "MLflow goes on to show run %s as running: %s (%s).", run, self._folder, error.strerror
            )

    def forget(self, run: str) -> None:
        """The server knows it."""
        self._path(run).unlink(missing_ok=True)

    def close_all(self, runs: Runs) -> None:
        """Close those that are noted. Raises what the client raises when the server fails again."""
        for path in sorted(self._folder.glob("*.json")):
            ended = _read(path)
            if ended is None or ended.server != self._server:
                continue
            with suppress(Refused):  # Deleted meanwhile: nothing is shown any more.
                runs.end(path.stem, ended.status)
            self.forget(path.stem)

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}.json"


def _read(path: Path) -> _Ended | None:
    try:
        return _Ended.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None  # Another run has just closed it, or it is not one of ours.
