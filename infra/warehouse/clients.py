"""BigQuery's clients: whose credentials, and which server."""

import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import google.auth
import grpc
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from infra.errors import ConfigError
from infra.warehouse.place import BigQueryPlace

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
ENDPOINT, STORAGE_ENDPOINT = "STILLHOUSE_BIGQUERY_ENDPOINT", "STILLHOUSE_BIGQUERY_STORAGE_ENDPOINT"
GOOGLE = ".googleapis.com"
STORAGE_HOST = "bigquerystorage.googleapis.com"
# A connection that says nothing is asked whether it lives; a message may be as large as the server likes. What a stream
# may have on its way is fixed: left to itself it grows with the server's speed, to tens of megabytes for each stream.
WINDOW_BYTES = 4 << 20
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
)


@dataclass
class BigQueryClients:
    """Both clients of one place. `endpoint` and `storage_endpoint` stand for Google's own servers where given.

    `named_in` are the files that gave them, if files did.
    """

    place: BigQueryPlace
    endpoint: str | None = None
    storage_endpoint: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)
    named_in: tuple[Path | None, Path | None] = (None, None)

    @cached_property
    def jobs(self) -> bigquery.Client:
        """REST: jobs, tables, and rows page by page."""
        return bigquery.Client(
            project=self.place.project,
            location=self.place.location,
            credentials=self.credentials or credentials_for(self.endpoint, ENDPOINT, self.named_in[0]),
            client_options=ClientOptions(api_endpoint=self.endpoint) if self.endpoint else None,
        )

    @cached_property
    def storage(self) -> BigQueryReadClient:
        """The Storage Read API: rows as streams of Arrow."""
        endpoint = self.storage_endpoint
        if endpoint is not None and is_loopback(endpoint):
            channel = grpc.insecure_channel(urlsplit(endpoint).netloc, options=CHANNEL_OPTIONS)
        else:
            channel = BigQueryReadGrpcTransport.create_channel(
                urlsplit(endpoint).netloc if endpoint else STORAGE_HOST,
                credentials=self.credentials or credentials_for(endpoint, STORAGE_ENDPOINT, self.named_in[1]),
                options=CHANNEL_OPTIONS,
            )
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def credentials_for(endpoint: str | None, setting: str, named_in: Path | None = None) -> Credentials:
    """Application default credentials; none for a server on this machine, which gets to see no real ones.

    Raises ConfigError when there are none, for an endpoint that would get them unencrypted, and for one that is not
    Google's and that a file names: they are the user's own, and so is the environment.
    """
    if endpoint is not None:
        if is_loopback(endpoint):
            return AnonymousCredentials()
        if urlsplit(endpoint).scheme != "https" or not urlsplit(endpoint).netloc:
            raise ConfigError(
                f"{setting}={endpoint} would be sent credentials: expected https://HOST, or http:// on this machine "
                "(127.0.0.1). Correct the setting."
            )
        if named_in is not None and not (urlsplit(endpoint).hostname or "").endswith(GOOGLE):
            raise ConfigError(
                f"{setting}={endpoint} is named by {named_in}: your credentials of Google Cloud go to Google's own servers, "
                f"and to a host that the environment names. If they may go there, set {setting} in the environment."
            )
    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
    except DefaultCredentialsError as error:
        raise ConfigError(
            "no credentials for Google Cloud were found, or their file cannot be read: expected application default "
            "credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the "
            f"key file of a service account ({type(error).__name__})."
        ) from None
    return credentials


def is_loopback(endpoint: str) -> bool:
    """Whether a server is this machine, over plain HTTP."""
    parts = urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
