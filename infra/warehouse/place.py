"""Where BigQuery's tables are and who pays: `bigquery://project/dataset?location=EU`."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from infra.errors import ConfigError

SCHEME = "bigquery"
_PROJECT = re.compile(r"[a-z][a-z0-9.:-]{2,60}")
_DATASET = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class BigQueryPlace:
    """The project that is billed, the data set of names without one, and the location (None: where the tables are)."""

    project: str
    dataset: str | None = None
    location: str | None = None

    @property
    def uri(self) -> str:
        """The place as a setting says it."""
        dataset = f"/{self.dataset}" if self.dataset else ""
        return f"{SCHEME}://{self.project}{dataset}" + (f"?location={self.location}" if self.location else "")


def is_bigquery(uri: str) -> bool:
    """Whether STILLHOUSE_WAREHOUSE names BigQuery."""
    return uri.split(":", 1)[0] == SCHEME


def read_place(uri: str) -> BigQueryPlace:
    """The place that a setting names. Raises ConfigError for one that cannot be understood."""
    parts = urlsplit(uri)
    dataset, options = parts.path.strip("/"), parse_qs(parts.query, keep_blank_values=True)
    (location,) = options.pop("location", [""])[-1:]
    understood = _PROJECT.fullmatch(parts.netloc) and (not dataset or _DATASET.fullmatch(dataset))
    if not understood or options or parts.fragment:
        raise ConfigError(
            f"STILLHOUSE_WAREHOUSE={uri} cannot be understood: expected bigquery://PROJECT/DATASET?location=EU, the "
            "data set and the location as needed. Correct the setting."
        )
    return BigQueryPlace(parts.netloc, dataset or None, location or None)
