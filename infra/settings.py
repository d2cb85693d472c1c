"""Where things lie, and secrets: `STILLHOUSE_*` in the environment or in the `.env` that `env_file` chooses.

What is asked lives in the configs of flows and stages.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from infra import env_file
from infra.errors import ConfigError
from infra.home import find_home

_CREDENTIALS = re.compile(r"[\w.+-]+://([^/?#]*)@")
_SECRET_IN_URI = re.compile(
    r"[\w.+-]+://([^/?#\s]*:[^/?#\s]+@|\S*[?&](password|passwd|token|secret|key)=[^&\s])", re.I
)
MIN_KEY = 16
_OCTAL = re.compile(r"(0o)?[0-7]{3,5}")
SECRETS = ("hub_token", "store_signing_key")  # never shown, not even when they are wrong


class Settings(BaseSettings):
    """Places and secrets of one installation. None of it enters a cache key, a record or a tracked parameter."""

    model_config = SettingsConfigDict(env_prefix="STILLHOUSE_", extra="ignore", frozen=True)
    _file: Path | None = PrivateAttr(None)
    _from_file: frozenset[str] = PrivateAttr(frozenset())

    home: Path = Field(
        default_factory=find_home,
        validate_default=True,
        description="everything lies here; deleting it is a full reset; unset: the nearest .stillhouse upwards that is a "
        "home of yours, else one here",
    )
    home_mode: int = Field(
        0o700,
        description="permissions that home is made with, octal; one that stands already keeps its own",
    )
    store: str | None = Field(
        None, description="shared store of artifacts: file:///path, gs://bucket/prefix or s3://bucket/prefix"
    )
    store_cache_gb: float | None = Field(
        None,
        ge=0,
        description="GB of artifacts kept under home once they are in the shared store; unset: all",
    )
    store_part_mib: int = Field(
        32,
        ge=5,
        le=1024,
        description="MiB of a large file that are sent or fetched, and tried again, at once",
    )
    store_timeout_s: float = Field(
        60, gt=0, description="seconds of silence of the shared store after which a request is tried again"
    )
    store_signing_key: SecretStr | None = Field(
        None,
        description="key that a team shares, 16 characters or more: records are signed with it, and no others are taken",
    )
    store_keep_home: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="stages whose artifacts stay in this home, whatever the shared store: names with commas between "
        "them, such as extract,curate",
    )
    stage_processes: bool = Field(True, description="trainings run in processes of their own; false: here")
    launcher: Literal["local", "torchrun"] = Field("local", description="what starts them: one, or several")
    processes: int = Field(1, ge=1, le=1024, description="processes that share a training, by torchrun")
    trainings: int = Field(1, ge=1, le=64, description="trainings at once, where several stages are called")
    warehouse: str = Field(
        "duckdb",
        description="where SQL runs: duckdb (embedded), or bigquery://PROJECT/DATASET?location=EU",
    )
    bigquery_usd_per_tib: float = Field(
        6.25, ge=0, description="price in US dollars of a tebibyte that BigQuery reads"
    )
    bigquery_read: Literal["storage", "rest"] = Field(
        "storage", description="how BigQuery's rows come out: the Storage Read API, or REST (slower)"
    )
    bigquery_export: str | None = Field(
        None,
        pattern=r"^gs://[a-z0-9][a-z0-9._-]+(/[^?#@*{}]*)?$",
        description="where large results of BigQuery are exported to and fetched from: gs://bucket/prefix",
    )
    bigquery_export_over_gb: float = Field(
        10, ge=0, description="GB of a result above which it is exported, where it needs no order"
    )
    bigquery_endpoint: str | None = Field(
        None,
        description="server that stands for BigQuery's; on this machine (http://127.0.0.1) it gets no credentials",
    )
    bigquery_storage_endpoint: str | None = Field(
        None, description="server that stands for the Storage Read API's; likewise"
    )
    hub: str = Field(
        "local",
        description="where models and data sets are published: local (a folder under home), a folder, or "
        "https://huggingface.co/OWNER",
    )
    mlflow_uri: str | None = Field(
        None, description="tracking server; default: SQLite under home, or `stillhouse up`'s"
    )
    prefect_port: int = Field(4200, ge=1, le=65535, description="port of `stillhouse up`'s Prefect server")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="port of `stillhouse up`'s MLflow server")
    reports_port: int = Field(5001, ge=1, le=65535, description="port of `stillhouse up`'s server of reports")
    hub_token: SecretStr | None = Field(
        None,
        description="token of the Hub, when it is not local; default: HF_TOKEN or `hf auth login`, where the environment "
        "names the Hub or it is huggingface.co",
    )
    hub_private: bool = Field(True, description="repositories made on the Hub are private")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        try:
            return home.expanduser().resolve()
        except RuntimeError:
            raise ValueError(
                "this user has no home that ~ could stand for: expected an absolute path"
            ) from None

    @field_validator("home_mode", mode="before")
    @classmethod
    def _mode(cls, given: object) -> int:
        """Octal, as `chmod` takes it: the owner needs all, and who is in no group of the home writes nothing there."""
        mode = int(given, 8) if isinstance(given, str) and _OCTAL.fullmatch(given) else given
        if not isinstance(mode, int) or mode & 0o700 != 0o700 or mode & 0o002 or mode > 0o7777:
            raise ValueError(
                "expected octal permissions with read, write and search for the owner and no writing for others, "
                "such as 0700, or 2770 for a group that shares the home"
            )
        return mode

    @field_validator("store_signing_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        """A key copied with its line end is the same key."""
        stripped = key.get_secret_value().strip() if key else ""
        if stripped and len(stripped) < MIN_KEY:
            raise ValueError(f"expected {MIN_KEY} characters or more")
        return SecretStr(stripped) if stripped else None

    @field_validator("store_keep_home", mode="before")
    @classmethod
    def _names(cls, names: object) -> object:
        if not isinstance(names, str):
            return names
        return tuple(name for part in names.split(",") if (name := part.strip()))

    @field_validator("hub_token")
    @classmethod
    def _printable(cls, token: SecretStr | None) -> SecretStr | None:
        """A token copied with its line end would be refused with itself in the message."""
        stripped = token.get_secret_value().strip() if token else ""
        if not (stripped.isascii() and stripped.isprintable()) or " " in stripped:
            raise ValueError("a token is one word of printable characters")
        return SecretStr(stripped) if stripped else None

    @property
    def env_file(self) -> Path | None:
        """The `.env` that was read."""
        return self._file

    def source_of(self, setting: str) -> Path | None:
        """The file that gave a setting; None where the environment or nobody did.

        Who names a host in a file has not shown that the tokens of the environment may go there.
        """
        return self._file if setting in self._from_file else None

    @property
    def artifacts(self) -> Path:
        """Folder of all artifacts, one sub-folder a stage."""
        return self.home / "artifacts"

    @property
    def locks(self) -> Path:
        """Folder of lock files; a lock is the operating system's and dies with its holder."""
        return self.home / "locks"

    @property
    def work(self) -> Path:
        """Checkpoints of stages that are under way, one folder a key; they outlive a kill."""
        return self.home / "work"

    @property
    def runs(self) -> Path:
        """One small file for each flow run under way: which process, on which host."""
        return self.home / "runs"

    @property
    def outlooks(self) -> Path:
        """What the last run of each flow took, stage by stage: one small file a flow."""
        return self.home / "outlooks"

    @property
    def services_file(self) -> Path:
        """Written by `stillhouse up` while its servers run."""
        return self.home / "services.json"

    @property
    def mlflow_database(self) -> Path:
        """SQLite file of the embedded tracking store."""
        return self.home / "mlflow" / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """Artifacts of the embedded tracking store."""
        return self.home / "mlflow" / "artifacts"

    @property
    def shared(self) -> Path:
        """Which artifacts are known to be in a shared store: an empty file each."""
        return self.home / "shared"

    @property
    def hub_folder(self) -> Path:
        """Root of the local Hub."""
        return self.home / "hub"

    @property
    def warehouse_folder(self) -> Path:
        """Public data sets of the embedded warehouse, made once."""
        return self.home / "warehouse"

    @property
    def hub_cache(self) -> Path:
        """What was fetched from a Hub on the network, one folder a host."""
        return self.home / "hub-cache"

    @property
    def reports(self) -> Path:
        """HTML reports, one a run."""
        return self.home / "reports"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Settings of this process, read once. Raises ConfigError naming the variable or the file that is wrong."""
    file = env_file.chosen()
    try:
        return _read(file)
    except ValidationError as error:
        wrong = "; ".join(
            f"STILLHOUSE_{name.upper()}={'***' if name in SECRETS else repr(e['input'])}: {e['msg']}"
            for e in error.errors()
            for name in [str(e["loc"][0])]
        )
        place = "the environment" + (f" or {file}" if file else "")
        raise ConfigError(f"settings are not usable: {wrong}. Correct {place}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x} in line {line} was found. Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}): expected STILLHOUSE_* settings. Make it readable, or move it away."
        ) from None


def _read(file: Path | None) -> Settings:
    settings = Settings(_env_file=file)
    if file is not None:
        in_file, in_environment = DotEnvSettingsSource(Settings, env_file=file), EnvSettingsSource(Settings)
        settings._file, settings._from_file = file, frozenset(in_file()) - frozenset(in_environment())
    return settings


def holds_credentials(text: str) -> bool:
    """Whether a URI with a password, a token or a key stands in a text."""
    return _SECRET_IN_URI.search(text) is not None


def without_credentials(text: str, uri: str | None = None) -> str:
    """A text without the name and password that stand in `uri` (in the text itself, where it is a URI), as may be shown."""
    found = _CREDENTIALS.match(uri if uri is not None else text)
    if found is None:
        return text
    password = found[1].partition(":")[2]
    shown = text.replace(f"{found[1]}@", "")
    # A library may show the password alone, as it stands there or decoded.
    for secret in (password, unquote(password)):
        shown = shown.replace(secret, "***") if secret else shown
    return shown
