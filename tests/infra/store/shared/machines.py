"""Machines that share a store: a home each, and what was said at their terminals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.catalog.eviction import keep_bound
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import Record
from infra.store.references import STORE_SCHEME, ArtifactRef
from infra.store.shared.remote_store import RemoteStore
from infra.store.shared.sharing import Sharing, open_remote
from tests.infra.artifacts import make_artifact

PART_MIB = 5  # the least that S3 takes


@dataclass
class Machine:
    """One home, its settings and lines."""

    home: Path
    url: str
    cache_gb: float | None = None
    timeout_s: float = 60
    lines: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(
            home=self.home,
            store=self.url,
            store_part_mib=PART_MIB,
            store_cache_gb=self.cache_gb,
            store_timeout_s=self.timeout_s,
            _env_file=None,
        )

    @property
    def store(self) -> Store:
        return Store(self.settings)

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def remote(self) -> RemoteStore:
        return open_remote(self.settings, self.store)

    def sharing(self) -> Sharing:
        """As a new run has it."""
        return Sharing(self.settings, self.store, lambda line: self.lines.append(str(line)))

    def trim(self) -> None:
        """As a run does when it ends."""
        keep_bound(self.sharing())

    def make(self, files: Mapping[str, str], stage: str = "spell") -> Record:
        return make_artifact(self.store, stage, files)

    def here(self, record: Record) -> Record | None:
        """What the home alone has, files and all."""
        found = self.store.find(record.stage, record.key)
        return None if found.remote else found.record

    def find(self, record: Record) -> Record | None:
        return self.sharing().find(record.stage, record.key).record

    def read(self, record: Record, name: str) -> str:
        """A file of an artifact, as a stage reads it."""
        return (self.path(record) / name).read_text()

    def path(self, record: Record) -> Path:
        """Where a new run reads an artifact: what is not here is fetched."""
        return self.sharing().store.path(reference(record))


def reference(record: Record) -> ArtifactRef:
    """What a stage gets of an artifact."""
    uri = f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}"
    return ArtifactRef(uri=uri, digest=record.digest)
