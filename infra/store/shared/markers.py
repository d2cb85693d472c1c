"""Which artifacts of a home are known to be in a shared store: an empty file each, so that a hit asks nobody."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infra.files import disk_errors
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH


@dataclass(frozen=True)
class SharedMarkers:
    """What is known of one store."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, url: str) -> "SharedMarkers":
        """Those of an address; another store starts with none."""
        return cls(settings.shared / sha256(url.encode()).hexdigest()[:12])

    def knows(self, stage: str, key: str) -> bool:
        """Whether it was there when this home last looked."""
        return self._file(stage, key).is_file()

    def remember(self, stage: str, key: str) -> None:
        """It is there."""
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file(stage, key).touch()

    def forget(self, stage: str, key: str) -> None:
        """It is not, or not whole."""
        self._file(stage, key).unlink(missing_ok=True)

    def _file(self, stage: str, key: str) -> Path:
        return self.folder / f"{stage}-{key[:KEY_LENGTH]}"
