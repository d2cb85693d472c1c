"""What goes to a tracking server, and what it is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from infra.errors import TrackingError

Parameter = tuple[str, str]
# Without it MLflow's UI opens an experiment as one about prompts and traces, its runs out of sight.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


class MetricPoint(NamedTuple):
    """A metric at a step; `time` in milliseconds since 1970."""

    name: str
    value: float
    time: int
    step: int


class Version(NamedTuple):
    """A version of a registered model."""

    version: str
    tags: Mapping[str, str]
    aliases: frozenset[str]


class Refused(TrackingError):
    """The server answers and refuses what it was sent: the same again is refused again."""


class Runs(Protocol):
    """A tracking server. Every method raises Refused, or what its client raises when the server fails after retries."""

    def experiment(self, name: str, location: str | None) -> str:
        """Id of the experiment, made when it is not there; its artifacts lie at `location`."""

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Open a run and return its id. It also carries the tags of `origin`."""

    def log(self, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter]) -> None:
        """Log one batch: at most 1,000 in all, 100 of them parameters."""

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, of at most 5,000 characters each."""

    def end(self, run: str, status: str) -> None:
        """Close a run as FINISHED, FAILED or KILLED."""

    def takes(self, run: str) -> bool:
        """Whether a run can be logged to: it was not deleted."""

    def still_open(self, experiment: str, tag: str, value: str) -> list[str]:
        """Ids of the runs with this tag that are not closed."""

    def keep(self, run: str, file: Path, folder: str | None) -> None:
        """Keep a file as an artifact of a run."""

    def keep_text(self, run: str, text: str, name: str) -> None:
        """Keep a text as an artifact of a run."""

    def versions(self, name: str) -> list[Version]:
        """Versions of a registered model; none for a model that is not registered."""

    def files_of(self, name: str, version: str) -> str:
        """Address of the files of a registered version."""
