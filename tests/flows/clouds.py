"""Every cloud at once, on this machine, and `flows.data` on any of them by settings alone."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import RECORD_FILE, Record
from infra.store.shared.sharing import open_remote
from tasks.reporting.data_summary import DataSummary
from tests.fakes.bigquery import FakeBigQuery, bigquery_server
from tests.fakes.faulty_proxy import Proxy, faulty_proxy
from tests.fakes.hub import HubServer, hub_server
from tests.fakes.hub_state import Repo
from tests.fakes.object_stores import BUCKET, gcs_server, s3_server

HUB_TOKEN = "hf_canary1hub2token3of4the5flow"
S3_SECRET = "canary/secret+of/the/object+store0123456"
SERVERS = {"s3": s3_server, "gs": gcs_server}


@dataclass(frozen=True)
class Clouds:
    """A warehouse, an object store behind a proxy that can fail, and a Hub. Nothing is shared with another test."""

    warehouse: FakeBigQuery
    store: Proxy
    hub: HubServer
    place: str

    @property
    def settings(self) -> dict[str, str]:
        """What the environment must be for a run on them: addresses and credentials, nothing else."""
        return {
            "STILLHOUSE_WAREHOUSE": "bigquery://tests/lake?location=EU",
            "STILLHOUSE_BIGQUERY_ENDPOINT": self.warehouse.endpoint,
            "STILLHOUSE_BIGQUERY_STORAGE_ENDPOINT": self.warehouse.storage_endpoint,
            "STILLHOUSE_STORE": self.place,
            "STILLHOUSE_HUB": f"{self.hub.endpoint}/org",
            "STILLHOUSE_HUB_TOKEN": HUB_TOKEN,
            "AWS_ENDPOINT_URL": self.store.endpoint,
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "STORAGE_EMULATOR_HOST": self.store.endpoint,
        }

    def repo(self, name: str) -> Repo:
        """The published data set's repository, as the Hub has it."""
        return self.hub.repos["dataset", f"org/{name.partition('/')[2]}"]


@contextmanager
def clouds(kind: str, tables: Mapping[str, Path]) -> Iterator[Clouds]:
    """All three, with `tables` (name -> parquet file) in the warehouse; `kind` of store is s3 or gs."""
    with (
        bigquery_server(dict(tables)) as warehouse,
        SERVERS[kind]() as endpoint,
        faulty_proxy(endpoint) as store,
        hub_server() as hub,
    ):
        hub.tokens = {HUB_TOKEN: "write"}
        yield Clouds(warehouse, store, hub, f"{kind}://{BUCKET}/{uuid4().hex}")


@dataclass
class Runs:
    """Runs `python -m flows.data` in this process, each in a home by its name."""

    root: Path
    database: Path
    patch: pytest.MonkeyPatch

    def use(self, name: str, **environment: str) -> Path:
        """Go on in this home, which is made where it is not there, with these settings and no others."""
        self.patch.undo()
        home = self.root / name
        if not home.exists():
            (home / "mlflow").mkdir(parents=True)
            shutil.copy(self.database, home / "mlflow" / "mlflow.db")
        for variable, value in (environment | {"STILLHOUSE_HOME": str(home)}).items():
            self.patch.setenv(variable, value)
        get_settings.cache_clear()
        return home

    def run(self, *arguments: str) -> int:
        """The exit code of the flow with these arguments."""
        from flows.configs.data import COMMAND

        return COMMAND.main([*arguments, "--report", str(self.report)])

    def done(self, *arguments: str) -> DataSummary:
        """What a run came to that must end well."""
        assert self.run(*arguments) == 0
        return DataSummary.model_validate_json(self.report.read_bytes())

    @property
    def report(self) -> Path:
        """Of the last run that ended well."""
        return self.root / "report.json"


def digests(summary: DataSummary) -> dict[str, str]:
    """The artifact of each stage."""
    return {stage.name: stage.digest for stage in summary.stages}


def published_here(summary: DataSummary) -> dict[str, str]:
    """Files of a revision in a local Hub, with the sha256 of each."""
    folder = Path(summary.dataset.path)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def published_there(repo: Repo, revision: str = "main") -> dict[str, str]:
    """The same of a repository on the Hub, if its card called it as a local Hub does; `.gitattributes` is the Hub's own."""
    files = repo.files(revision)
    local = f"local/{repo.name.partition('/')[2]}".encode()
    return {
        name: hashlib.sha256(files[name].replace(repo.name.encode(), local)).hexdigest()
        for name in files
        if name not in (".gitattributes", "promotions.jsonl")
    }


def half_made() -> list[str]:
    """What the home and its shared store show of artifacts that are not whole."""
    store = Store(get_settings())
    remote = open_remote(get_settings(), store)
    found = [
        f"in the home: {record.stage}"
        for record in store.records()
        if store.find(record.stage, record.key, full=True).record is None
    ]
    for name in remote.objects.sizes("artifacts"):
        if name.endswith(f"/{RECORD_FILE}"):
            record = Record.model_validate_json(remote.objects.read(f"artifacts/{name}") or b"")
            found += [] if remote.holds(record) else [f"in the store: {record.stage}"]
    return found
