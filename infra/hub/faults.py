"""What can go wrong between here and the Hub: which faults another try can mend, and what to say of the others.

The client tries uploads and listings again by itself, but not commits, tags and branches; here every step is tried again,
and waits for as long as the server asked. No message holds the token, though a server may send it back in one of its own.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from huggingface_hub.utils import get_token, parse_ratelimit_headers
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.errors import HubError, StillhouseError, StoreError
from infra.files import DISK_ERRORS
from infra.hub.named_by import no_token_for

ATTEMPTS = 6
LONGEST_WAIT = 20.0  # seconds between two tries, when the server does not say how long
LONGEST_PAUSE = 600.0  # seconds that a server may ask for; beyond that a person is told when to come back
TRANSIENT = (408, 429, 500, 502, 503, 504)
CONFLICT = 412  # the branch is no longer at the commit that was given as the parent
HIDDEN = "***"
LONGEST_QUOTE = 300  # characters of what the server says
TOKENS = "https://huggingface.co/settings/tokens"
# ValueError and LookupError: a refused card, a malformed answer. RuntimeError: the client's own wrapping of a failed upload.
FAULTS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    EntryNotFoundError,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
)
# A request that cannot even be sent is our own fault, or a setting's.
UNSENDABLE = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)

T = TypeVar("T")


class BranchMoved(Exception):
    """Somebody pushed to the branch since its head was read. Never leaves this package."""


def persistently(step: Callable[[], T]) -> T:
    """What `step` returns, after as many tries as a transient fault is worth. Raises the last fault otherwise."""
    retrying = Retrying(
        retry=retry_if_exception(is_transient), stop=stop_after_attempt(ATTEMPTS), wait=_wait, reraise=True
    )
    return retrying(step)


def is_transient(error: BaseException) -> bool:
    """Another try can mend it: the connection, a busy server, a server's own fault. Not a pause beyond our patience."""
    cause = _origin(error)
    if isinstance(cause, HfHubHTTPError):
        return cause.response.status_code in TRANSIENT and (asked_pause(cause) or 0.0) <= LONGEST_PAUSE
    if isinstance(cause, json.JSONDecodeError):
        return True  # A gateway's page instead of the Hub's answer.
    return isinstance(cause, httpx2.TransportError) and not isinstance(cause, UNSENDABLE)


def asked_pause(error: BaseException) -> float | None:
    """Seconds that the server asked to wait; None when it did not say."""
    if not isinstance(error, HfHubHTTPError):
        return None
    headers = error.response.headers
    told = headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit is not None and limit.remaining == 0 else None


_backoff = wait_random_exponential(multiplier=0.3, max=LONGEST_WAIT)


def _wait(state: RetryCallState) -> float:
    """As long as the server asked, and a little more: others were told the same."""
    error = state.outcome.exception() if state.outcome is not None else None
    pause = asked_pause(_origin(error)) if error is not None else None
    return _backoff(state) if pause is None else pause + wait_random_exponential(max=1)(state)


def _origin(error: BaseException) -> BaseException:
    """The fault of the network or the server that a client's wrapping stands for."""
    known = (httpx2.HTTPError, httpx2.InvalidURL, json.JSONDecodeError)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, known):
            return cause
        cause = cause.__cause__
    return error


def hub_error(
    place: str, done: str, error: Exception, token: str | None, named_in: Path | None = None
) -> StillhouseError:
    """What to raise when `place` (an address) could not be `done` (read, written ...): the fault with its remedy.

    `named_in` is the file that named the Hub, if one did.

    A HubError, or a StoreError when it is this machine's own disk that refuses.
    """
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return StoreError(f"what is fetched from {place} cannot be written: {DISK_ERRORS[error.errno]}.")
    cause = _origin(error)
    secrets = [secret for secret in (token, get_token()) if secret]
    said = _first_line(cause)
    status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else None
    if isinstance(cause, HfHubHTTPError):
        said = cause.server_message or said
    for secret in secrets:
        said = said.replace(secret, HIDDEN)
    if status == 401 and token is None and named_in is not None:
        return HubError(f"{place} could not be {done}: {no_token_for('the Hub', named_in)}")
    remedy = _remedy(cause, status, " ".join(said.split())[:LONGEST_QUOTE], bool(secrets))
    return HubError(f"{place} could not be {done}: {remedy}")


def _remedy(cause: BaseException, status: int | None, said: str, with_token: bool) -> str:
    if status == 401:
        given = "does not know the token" if with_token else "wants a token, and none is set"
        return (
            f"the Hub {given} ({said}); expected one that may write there. Make one at {TOKENS} and set "
            "STILLHOUSE_HUB_TOKEN (or HF_TOKEN, or run `hf auth login`)."
        )
    if status in (402, 413) or (status == 403 and any(word in said.lower() for word in ("storage", "quota"))):
        return (
            f"the Hub has no room left for it ({said}). Free space there (old revisions, other repositories), "
            "choose a larger plan, or publish publicly with STILLHOUSE_HUB_PRIVATE=false if the data may be seen."
        )
    if status == 403:
        return (
            f"the token may not do that ({said}); expected write access to this owner's repositories. Use a "
            f"token of a member with the role `write` ({TOKENS}), or another owner in STILLHOUSE_HUB."
        )
    if status == 404:
        return (
            f"there is no such repository or revision that this token may see ({said}). Correct the name or the "
            "owner in STILLHOUSE_HUB, publish it first, or set STILLHOUSE_HUB_TOKEN for a private one."
        )
    if status in TRANSIENT:
        pause = asked_pause(cause)
        when = f" in {pause:.0f} seconds" if pause is not None else " later"
        return f"the Hub answers {status} still ({said}). Nothing is lost: run the same again{when}."
    if isinstance(cause, (*UNSENDABLE, httpx2.InvalidURL)):
        return "the request could not be sent. Look for stray characters in STILLHOUSE_HUB and STILLHOUSE_HUB_TOKEN."
    if isinstance(cause, httpx2.TransportError | EntryNotFoundError | ConnectionError):
        return (
            f"the Hub does not answer ({type(cause).__name__}: {said}). Check the network and STILLHOUSE_HUB, then "
            "run the same again: what was uploaded is not sent twice. A revision that was fetched before (40 "
            "digits) needs no network."
        )
    return f"the Hub refuses it ({type(cause).__name__}: {said}). Correct what it names, then run the same again."


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
