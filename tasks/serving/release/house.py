"""What a release is made of, and its port: what it needs of the house, which `stages.py` fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from tasks.formats.published_dataset import PublishedDataset
from tasks.serving.release.config import ReleaseConfig


class Revision(Protocol):
    """A published state of the model's repository."""

    @property
    def revision(self) -> str:
        """40 hex digits."""

    @property
    def path(self) -> str:
        """Folder of the snapshot, or its address."""


class Rollback(Protocol):
    """What took a package down."""

    @property
    def time(self) -> str:
        """ISO 8601, UTC."""

    @property
    def reason(self) -> str:
        """A sentence; empty where none was given."""


class Evidence(Protocol):
    """What the stages made of a candidate: package, verdict, evaluation, benchmark, parity and dataset."""

    def path(self, name: str) -> Path:
        """Folder of one of them."""

    def parity(self) -> Mapping[str, float]:
        """Figures of the parity check."""

    def extracts(self) -> list[Path]:
        """Folders of the extracts that the data set was made from."""


class Publisher(Protocol):
    """The model's repository on the Hub. Raises HubError."""

    def published(self, made_of: JsonValue) -> Revision | None:
        """What is `main`, if it was made of this and of this evidence."""

    def push(self, made_of: JsonValue, folder: Path, message: str) -> Revision:
        """Publish a folder, not yet as `main`."""

    def resolve(self, revision: str) -> Path:
        """Local folder of a revision."""


class Champions(Protocol):
    """Who was and is champion of the model, and MLflow's registry, which follows that history."""

    @property
    def registered_name(self) -> str:
        """The model's name in the registry."""

    def current(self) -> str | None:
        """Digest of the champion's package, where there is one and it is known."""

    def taken_down(self, package: str) -> Rollback | None:
        """The rollback that took a package down, unless it was promoted again since."""

    def promote(self, revision: str, package: str, verdict: str, reason: str, again: bool) -> bool:
        """Make a revision champion, one that was taken down only `again`. Returns whether it is champion now."""

    def register(self, folder: Path, aliases: tuple[str, ...], tags: Mapping[str, str]) -> str:
        """The version of a release in the registry. Raises TrackingError."""

    def follow(self) -> None:
        """Point the registry's champion at the history's, if there is one. Raises TrackingError."""


@dataclass(frozen=True)
class Candidate:
    """What is released; `package` is the digest of its package."""

    config: ReleaseConfig
    package: str
    evidence: Evidence
    published: PublishedDataset
    base_model: str
