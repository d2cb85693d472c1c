"""Where things lie, and secrets: `STILLHOUSE_*` in the environment or in `.env`.

What is asked lives in the configs of flows and stages.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.errors import ConfigError


class Settings(BaseSettings):
    """Places and secrets of one installation. None of it enters a cache key, a record or a tracked parameter."""

    model_config = SettingsConfigDict(env_prefix="STILLHOUSE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".stillhouse"), description="everything lies here; deleting it is a full reset")
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
    warehouse: str = Field("duckdb", description="where SQL runs: duckdb (embedded)")
    hub: str = Field(
        "local", description="where models and data sets are published: local (a folder under home)"
    )
    mlflow_uri: str | None = Field(
        None, description="tracking server; default: SQLite under home, or `infra.cli up`'s"
    )
    prefect_port: int = Field(4200, ge=1, le=65535, description="port of `infra.cli up`'s Prefect server")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="port of `infra.cli up`'s MLflow server")
    hub_token: SecretStr | None = Field(None, description="token of the Hub, when it is not local")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

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
    def services_file(self) -> Path:
        """Written by `infra.cli up` while its servers run."""
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
    def reports(self) -> Path:
        """HTML reports, one a run."""
        return self.home / "reports"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Settings of this process, read once. Raises ConfigError naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"STILLHOUSE_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"settings are not usable: {wrong}. Correct the environment or .env.") from None
