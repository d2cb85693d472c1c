"""MLflow's registry of models: which versions there are, whose bytes they have, and which of them is champion.

It is no telemetry: what it cannot do is a TrackingError, and its caller says what that means. It decides nothing either:
who is champion stands in the journal (`promotions.py`), and the alias follows it.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlparse

from infra.errors import TrackingError
from infra.files import file_digest, file_lock, folder_digest
from infra.settings import Settings, without_credentials
from infra.tracking.connection import connect_runs, registry_uri
from infra.tracking.values import Runs, Version

logger = logging.getLogger(__name__)
# Tags of a version. DIGEST is its identity: the same package keeps its version. FILES is of everything that was
# registered, so that a byte that changed is found; CODE is of the file that MLflow runs.
DIGEST, FILES, CODE, DAMAGED = "digest", "files_digest", "code_sha256", "damaged"
SHOWN = 12  # digits of a digest
WRITTEN_BY_READERS = "registered_model_meta"  # MLflow leaves it in the folder of a version that it loads


@dataclass(frozen=True)
class Model:
    """What is registered: a folder, a models-from-code file that finds it as the artifact `release`, and which of the
    folder's files the package's digest is of; what MLflow shows of it, a description in Markdown and figures."""

    folder: Path
    code: Path
    package: tuple[str, ...]
    description: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


class Registry:
    """The registry of the tracking server that a home speaks to. Every method raises TrackingError."""

    def __init__(self, settings: Settings, experiment: str) -> None:
        self.settings, self.experiment = settings, experiment
        self.uri = registry_uri(settings)

    def register(
        self,
        name: str,
        model: Model,
        aliases: tuple[str, ...],
        tags: Mapping[str, str],
        run_tags: Mapping[str, str],
    ) -> str:
        """Register a model and point `aliases` at it; returns the version.

        Idempotent by the tag `digest`: bytes that are registered already keep their version. One whose bytes were
        damaged since is said and registered anew.
        """
        # Two runs that release the same bytes at once make one version of them.
        with self._failures(f"register the model {name}"), file_lock(self.settings.locks / "registry.lock"):
            found = _newest(self._runs.versions(name), {DIGEST: tags[DIGEST]})
            damage = self._damage(name, found, model.package) if found else None
            if found is None or damage is not None:
                version = self._log(name, model, tags, run_tags)
            elif found.aliases.issuperset(aliases) and tags.items() <= dict(found.tags).items():
                return found.version
            else:
                version = found.version
            self._mark(name, version, aliases, tags)
            if found is not None and damage is not None:
                self._replace(name, found, damage, version)
            return version

    def point_alias(self, name: str, alias: str, tags: Mapping[str, str]) -> str | None:
        """Point an alias at the newest version of a model that has `tags`; that version, None when none has them."""
        with self._failures(f"point {alias} at a version of {name}"):
            newest = _newest(self._runs.versions(name), tags)
            if newest is None:
                return None
            if alias not in newest.aliases:
                self._mark(name, newest.version, (alias,), {})
            return newest.version

    def holder(self, name: str, alias: str) -> Version | None:
        """The version that an alias points at."""
        with self._failures(f"say which version of {name} is {alias}"):
            return next((v for v in self._runs.versions(name) if alias in v.aliases), None)

    def doubt(self, name: str, version: Version, tags: Mapping[str, str]) -> str | None:
        """Why a version is not what has `tags`, registered from here and whole; None when it is."""
        with self._failures(f"check version {version.version} of {name}"):
            for tag, wanted in tags.items():
                if (found := version.tags.get(tag)) != wanted:
                    return f"its {tag} is {(found or 'not said')[:SHOWN]}, not {wanted[:SHOWN]}"
            address, home = self._runs.files_of(name, version.version), self.settings.mlflow_artifacts
            place = _place(address)
            here = place is not None and place.resolve().is_relative_to(home.resolve())
            if self.settings.mlflow_uri is None and not here:
                return f"its files are in {address}, outside of {home}"
            return self._damage(name, version, ())

    def mend(self, name: str, version: Version, folder: Path) -> str | None:
        """What stands in the way of a version whose files are damaged; None when they are whole, or are so again.

        `folder` has the bytes that were released. The version's own code is used again where it is whole.
        """
        with self._failures(f"check version {version.version} of {name}"):
            if (damage := self._damage(name, version, ())) is None:
                return None
            with self._files(name, version) as there:
                codes = [path for path in there.glob("*.py") if file_digest(path) == version.tags.get(CODE)]
                if not codes:
                    return f"version {version.version} of {name} is damaged in MLflow's registry: {damage}"
                own = (FILES, CODE, DAMAGED)
                tags = {tag: value for tag, value in version.tags.items() if tag not in own}
                with file_lock(self.settings.locks / "registry.lock"):
                    anew = self._log(name, Model(folder, codes[0], ()), tags, {})
                    self._mark(name, anew, (), tags)
                    self._replace(name, version, damage, anew)
            return None

    def _replace(self, name: str, damaged: Version, damage: str, version: str) -> None:
        """Move every alias of a damaged version to its bytes' new one, and let it be found by its digest no more."""
        from infra.tracking.client import connect

        self._mark(name, version, tuple(sorted(damaged.aliases)), {})
        self._mark(name, damaged.version, (), {DAMAGED: datetime.now(UTC).isoformat("T", "seconds")})
        connect(self.uri).delete_model_version_tag(name, damaged.version, DIGEST)
        logger.warning(
            "Version %s of %s was damaged in MLflow's registry (%s): the same release is version %s now.",
            damaged.version, name, damage, version,
        )  # fmt: skip

    def _log(self, name: str, model: Model, tags: Mapping[str, str], run_tags: Mapping[str, str]) -> str:
        from infra.tracking.client import log_release

        runs, experiment = self._connected
        run = runs.create(experiment, "register", {**run_tags, DIGEST: tags[DIGEST]})
        version = log_release(self.uri, run, name, model.folder, model.code, model.description, model.metrics)
        with self._files(name, Version(version, {}, frozenset())) as there:
            whole = _digest(there)
        self._mark(name, version, (), {FILES: whole, CODE: file_digest(model.code)})
        return version

    def _mark(self, name: str, version: str, aliases: tuple[str, ...], tags: Mapping[str, str]) -> None:
        from infra.tracking.client import connect

        client = connect(self.uri)
        for tag, value in tags.items():
            client.set_model_version_tag(name, version, tag, value)
        for alias in aliases:
            client.set_registered_model_alias(name, alias, version)

    def _damage(self, name: str, version: Version, package: tuple[str, ...]) -> str | None:
        """What is wrong with the files of a version; None when nothing is, or nothing is known to hold them against.

        One from before the digest of its files was kept is held against that of its package, where its files are named.
        """
        with self._files(name, version) as there:
            if (whole := version.tags.get(FILES)) is not None:
                found = _digest(there)
                return None if found == whole else f"its files are {found[:12]}, not {whole[:12]}"
            if not package:
                return None
            folder = next(iter(sorted(there.glob("artifacts/*"))), there)
            files = [folder / name for name in package if (folder / name).is_file()]
            found, wanted = folder_digest(folder, files), version.tags[DIGEST]
            return None if found == wanted else f"its package is {found[:12]}, not {wanted[:12]}"

    @contextmanager
    def _files(self, name: str, version: Version) -> Iterator[Path]:
        """The folder of a version's files, fetched when it is elsewhere; an empty one when they are gone."""
        address = self._runs.files_of(name, version.version)
        if (place := _place(address)) is not None:
            yield place
            return
        from infra.tracking.client import fetch_files

        with tempfile.TemporaryDirectory(prefix="stillhouse-version-") as scratch:
            yield fetch_files(self.uri, address, Path(scratch))

    @property
    def _runs(self) -> Runs:
        return self._connected[0]

    @cached_property
    def _connected(self) -> tuple[Runs, str]:
        """What answers questions, and the id of the experiment."""
        return connect_runs(self.settings, self.experiment)

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Any fault of the server, of whatever type, as a TrackingError that says what was not done."""
        try:
            yield
        except Exception as error:
            said = without_credentials(str(error), self.uri).split("\n", 1)[0][:300]
            raise TrackingError(
                f"MLflow at {without_credentials(self.uri)} could not {what} ({type(error).__name__}: {said})"
            ) from error


def registered_name(repo: str) -> str:
    """A model's name in MLflow's registry, where a slash is not allowed."""
    return repo.replace("/", "-")


def _place(address: str) -> Path | None:
    """The folder that an address on this machine is; None for any other."""
    if address.startswith("file:"):
        return Path(unquote(urlparse(address).path))
    return Path(address) if address.startswith("/") else None


def _newest(versions: list[Version], tags: Mapping[str, str]) -> Version | None:
    fitting = [v for v in versions if tags.items() <= dict(v.tags).items() and DAMAGED not in v.tags]
    return max(fitting, key=lambda v: int(v.version), default=None)


def _digest(folder: Path) -> str:
    """Digest of what was registered, and not of what reading it leaves behind."""
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name != WRITTEN_BY_READERS and "__pycache__" not in path.parts
    ]
    return folder_digest(folder, files)
