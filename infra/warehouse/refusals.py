"""What BigQuery refused, in the words of who asked: what was found, what was expected, what to do.

Only the server's own sentence is quoted. Texts of the credentials' library are not: they may hold what must stay secret.
"""

import re

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.rpc.error_details_pb2 import RetryInfo
from requests.exceptions import RequestException

from infra.errors import ConfigError, CostCapError, StillhouseError, WarehouseError
from infra.warehouse.messages import error_at, offset_of
from infra.warehouse.place import BigQueryPlace
from infra.warehouse.protocol import Query

EXPLAINED = (google.GoogleAPICallError, google.RetryError, GoogleAuthError, RequestException, ConnectionError)
_AT = re.compile(r"\s*(?:at )?\[(\d+):(\d+)\]")
_TRANSIENT_REASONS = {
    "backendError",
    "internalError",
    "jobBackendError",
    "jobInternalError",
    "jobRateLimitExceeded",
}
_NOT_THE_BUCKET = {"quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded"}
_TRANSIENT_STREAM = (google.ServiceUnavailable, google.Unknown, google.DeadlineExceeded)
_EXPIRED = re.compile(r"session.*expired|expired.*session", re.IGNORECASE | re.DOTALL)


def explain(error: Exception, query: Query, place: BigQueryPlace) -> StillhouseError:
    """An error of Google's libraries as one of ours."""
    if isinstance(error, google.RetryError) and isinstance(error.cause, Exception):
        return explain(error.cause, query, place)
    if isinstance(error, TransportError | RequestException | ConnectionError):
        return _unreachable(query)
    if isinstance(error, GoogleAuthError):
        wrong = "were refused" if isinstance(error, RefreshError) else "cannot be used"
        return _credentials(f"the credentials for Google Cloud {wrong}")
    if not isinstance(error, google.GoogleAPICallError):
        return WarehouseError(f"{query.name} failed in BigQuery ({type(error).__name__}). Run again.")
    return _by_reason(error, query, place)


def explain_export(error: Exception, query: Query, place: BigQueryPlace, url: str) -> StillhouseError:
    """The same of a job that writes to a bucket: what is refused for good is mostly the bucket."""
    known = isinstance(error, google.Unauthorized) or reason_of(error) in _NOT_THE_BUCKET
    if isinstance(error, google.GoogleAPICallError) and 400 <= (error.code or 0) < 500 and not known:
        return WarehouseError(
            f"the rows of {query.name} could not be exported to {url} ({_said(error)}). Expected a bucket in the "
            "location of the tables, and credentials that may list, read, write and delete there (role Storage Object "
            "User). Make it or ask for that, or leave STILLHOUSE_BIGQUERY_EXPORT out. The query's job is found again, "
            "and not paid twice."
        )
    return explain(error, query, place)


def reason_of(error: BaseException) -> str:
    """BigQuery's word for what is wrong, such as `quotaExceeded`: it says more than the status. Empty without one."""
    details = getattr(error, "errors", None) or [{}]
    return str(details[0].get("reason", "")) if isinstance(details[0], dict) else ""


def is_transient_job(error: BaseException) -> bool:
    """Whether a job that failed so may work when it is run again."""
    return reason_of(error) in _TRANSIENT_REASONS


def is_transient_stream(error: BaseException) -> bool:
    """Whether a stream of rows that broke so can be read on from where it broke."""
    if isinstance(error, _TRANSIENT_STREAM) or wanted_delay(error) is not None:
        return True
    return isinstance(error, google.InternalServerError) and "RST_STREAM" in str(error)


def wanted_delay(error: BaseException | None) -> float | None:
    """Seconds that BigQuery wants to be left alone when there were too many requests; None where it names none."""
    if not isinstance(error, google.ResourceExhausted):
        return None
    delays = [detail.retry_delay for detail in error.details if isinstance(detail, RetryInfo)]
    return delays[0].ToTimedelta().total_seconds() if delays else None


def _by_reason(error: google.GoogleAPICallError, query: Query, place: BigQueryPlace) -> StillhouseError:
    reason, said = reason_of(error), _said(error)
    if reason == "bytesBilledLimitExceeded":
        return CostCapError(
            f"{query.name} passed its cap of {query.max_bytes:,} bytes, and nothing was billed ({said}). Select fewer "
            "columns or rows, or raise --extract.max-bytes."
        )
    if reason == "quotaExceeded" or isinstance(error, google.ResourceExhausted):
        return WarehouseError(
            f"a quota of the project {place.project} is used up ({said}): expected room for {query.name}. Wait until it "
            "is renewed, or ask for more (Google Cloud console, IAM & Admin, Quotas). Run again then."
        )
    if reason in ("rateLimitExceeded", "jobRateLimitExceeded"):
        return WarehouseError(
            f"BigQuery turned requests of {place.project} away as too many, also after waiting ({said}). Run again "
            "later, with fewer runs at once."
        )
    if isinstance(error, google.NotFound | google.FailedPrecondition) and _EXPIRED.search(said):
        return WarehouseError(
            f"the session that reads the rows of {query.name} has expired: expected them to be read within 6 hours. "
            "Run again: the finished job is found, and not paid twice."
        )
    if isinstance(error, google.NotFound):
        return _not_found(query, place, said)
    if isinstance(error, google.Unauthorized):
        return _credentials("BigQuery did not accept the credentials")
    if isinstance(error, google.Forbidden) or reason == "accessDenied":
        return WarehouseError(
            f"access was denied for {query.name} ({said}). Expected the roles BigQuery Job User and BigQuery Read "
            f"Session User in {place.project}, and BigQuery Data Viewer for the tables. Ask for them, or set "
            "STILLHOUSE_BIGQUERY_READ=rest where only the session is refused."
        )
    if reason in ("responseTooLarge", "resourcesExceeded"):
        return WarehouseError(
            f"{query.name} is too large for one query ({said}). Drop ORDER BY, DISTINCT and ARRAY_AGG over long texts, "
            "or sample by MOD(ABS(FARM_FINGERPRINT(column)), 100) < @sample_percent."
        )
    if 400 <= (error.code or 0) < 500:
        return _bad_query(query, said)
    if (
        isinstance(error, google.ServiceUnavailable | google.InternalServerError)
        or reason in _TRANSIENT_REASONS
    ):
        return _unreachable(query, said)
    return WarehouseError(f"{query.name} failed in BigQuery: {said}. Run again.")


def _said(error: google.GoogleAPICallError) -> str:
    """The server's sentence, without what the client puts around it (addresses, the whole of the SQL)."""
    details = [item for item in error.errors if isinstance(item, dict) and item.get("message")]
    text = str(details[0]["message"]) if details else str(error.message).split("\n")[0]
    return re.sub(r"^(GET|POST) https?://\S+: ", "", text).strip().rstrip(".")


def _not_found(query: Query, place: BigQueryPlace, said: str) -> WarehouseError:
    where = f"the location {place.location}" if place.location else "the location of the tables"
    return WarehouseError(
        f"{query.name}: {said}. Expected a table that exists in {where} and that you may see; a name without a data "
        f"set is looked up in {place.dataset or 'none, as STILLHOUSE_WAREHOUSE names none'}. Correct the name, or the "
        "data set and location in STILLHOUSE_WAREHOUSE."
    )


def _bad_query(query: Query, said: str) -> WarehouseError:
    """BigQuery says `... at [line:column]`: shown under the line."""
    what = _AT.sub("", said).rstrip(".")
    if place := _AT.search(said):
        return error_at(
            query, offset_of(query.sql, int(place[1]), int(place[2])), f"{what}. Correct the SQL here."
        )
    return WarehouseError(f"{query.name}: {what}. Correct the query.")


def _credentials(what: str) -> ConfigError:
    return ConfigError(
        f"{what}: expected ones that are valid now. Run `gcloud auth application-default login` again, or give "
        "GOOGLE_APPLICATION_CREDENTIALS a key that has not been revoked."
    )


def _unreachable(query: Query, said: str = "no answer") -> WarehouseError:
    return WarehouseError(
        f"BigQuery could not be reached for {query.name}, also after waiting ({said}). Look at the network and at "
        "https://status.cloud.google.com, and run again: a job that has finished is found, and not paid twice."
    )
