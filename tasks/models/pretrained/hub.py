"""A model of the Hub: its revision is resolved to a commit, and that commit fetched, safetensors only."""

import re
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.errors import ArtifactError, HubError
from tasks.models.pretrained.files import no_safetensors

PATTERNS = ["*.safetensors", "*.json", "*.txt"]
# Copies of the same weights for other runtimes, which nothing here reads.
OTHER_RUNTIMES = ["onnx/*", "openvino/*", "coreml/*", "flax/*", "gguf/*"]
ATTEMPTS, LONGEST_WAIT = 4, 8
LONGEST_PAUSE = 300  # seconds that the Hub may ask for
COMMIT = re.compile(r"[0-9a-f]{40}")
TRANSIENT = (429, 500, 502, 503, 504)
FAULTS = (HfHubHTTPError, httpx2.HTTPError, LocalEntryNotFoundError, HFValidationError, ConnectionError)
GIVE_FOLDER = "or give a local folder with the model's files as `--base.source`"


def fetch_model(repo_id: str, revision: str | None, downloads: Path, token: str | None) -> Path:
    """Folder of one commit of a Hub model under `downloads`, fetched when it is not there.

    Raises HubError when the Hub cannot be reached or does not have it, ArtifactError when it lacks
    safetensors.
    """
    pinned = revision is not None and COMMIT.fullmatch(revision) is not None
    try:
        if pinned and (folder := _fetched_before(repo_id, revision, downloads)) is not None:
            return folder
        info = _retried(HfApi(token=token).model_info)(repo_id, revision=revision)
        names = [file.rfilename for file in info.siblings or ()]
        if not any(name.endswith(".safetensors") and "/" not in name for name in names):
            raise no_safetensors(f"{repo_id} at {info.sha}", names)
        return Path(_retried(_snapshot)(repo_id, str(info.sha), downloads, token, local_files_only=False))
    except FAULTS as error:
        raise _hub_error(repo_id, revision, error) from error


def _fetched_before(repo_id: str, commit: str | None, downloads: Path) -> Path | None:
    try:
        return Path(_snapshot(repo_id, str(commit), downloads, token=None, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _transient(error: BaseException) -> bool:
    """Faults that another try can mend: the connection, a busy server, a server's own error."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in TRANSIENT
    return isinstance(error, httpx2.TransportError | LocalEntryNotFoundError)


def _pause(state: RetryCallState) -> float:
    """Seconds to the next try: as long as the Hub asked, and otherwise longer each time."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return _backoff(state) + (min(float(asked), LONGEST_PAUSE) if asked.isdigit() else 0.0)


_backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)
_retried = retry(
    retry=retry_if_exception(_transient), stop=stop_after_attempt(ATTEMPTS), wait=_pause, reraise=True
)


def _snapshot(repo_id: str, commit: str, downloads: Path, token: str | None, local_files_only: bool) -> str:
    return snapshot_download(
        repo_id,
        revision=commit,
        cache_dir=downloads,
        allow_patterns=PATTERNS,
        ignore_patterns=OTHER_RUNTIMES,
        token=token,
        local_files_only=local_files_only,
    )


def _hub_error(repo_id: str, revision: str | None, error: Exception) -> HubError | ArtifactError:
    wanted = f"{repo_id} at {revision or 'main'}"
    if isinstance(error, GatedRepoError):
        return HubError(
            f"{wanted} is gated: expected access. Accept its terms on the Hub and set STILLHOUSE_HUB_TOKEN."
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            f"{repo_id} has no revision {revision!r}: expected a branch, tag or commit. "
            "Correct `--base.revision`."
        )
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        return HubError(
            f"there is no model {repo_id!r} that this machine may read: expected a Hub id (`org/name`) or a "
            f"local folder. Correct `--base.source`, set STILLHOUSE_HUB_TOKEN for a private model, "
            f"{GIVE_FOLDER}."
        )
    return HubError(
        f"the Hub could not be read for {wanted} ({type(error).__name__}: {_first_line(error)}): expected a "
        "network or a commit that was fetched before. Connect, name that commit (40 digits) as "
        "`--base.revision`, "
        f"{GIVE_FOLDER}."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
