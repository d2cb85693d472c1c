"""Whether what is scheduled is going to run: every active schedule of Prefect's server has a next run, or it is said.

A server whose scheduler ends each of its loops with an error answers all the same, and shows the schedule as active.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from infra.errors import ServiceError
from infra.machine.login import REFUSED, headers, refused

PAGE = 200
TIMEOUT_S = 10.0
# Prefect's scheduler looks for new schedules every five seconds, for all of them every minute.
PATIENCE_S = 30.0
REMEDY = (
    "Prefect's scheduler makes none: its log (logs/prefect.log under home) says why. SQLAlchemy 2.1 is a known cause: "
    "install what was tested by `make install`, then `up` again."
)


@dataclass(frozen=True)
class Scheduled:
    """A deployment with an active schedule, and when it runs next (UTC); None: never."""

    deployment: str
    next_run: datetime | None


def scheduled(api_url: str, login: str | None = None) -> list[Scheduled]:
    """Every deployment with an active schedule. Raises ServiceError where Prefect's server does not answer, or let in."""
    try:
        with httpx.Client(
            base_url=f"{api_url}/", headers=headers(login), timeout=TIMEOUT_S, trust_env=False
        ) as http:
            return [
                Scheduled(deployment["name"], _next_run(http, deployment["id"]))
                for deployment in _deployments(http)
                if not deployment["paused"] and any(one["active"] for one in deployment["schedules"])
            ]
    except httpx.HTTPError as error:
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in REFUSED:
            raise refused(api_url) from None
        raise ServiceError(
            f"Prefect's server at {api_url} did not say what is scheduled ({type(error).__name__}: {error}): expected its "
            "deployments. `stillhouse doctor` looks at it."
        ) from None


def await_next_runs(api_url: str, login: str | None = None, patience: float = PATIENCE_S) -> list[Scheduled]:
    """The same, once every one has a next run, or after `patience` seconds."""
    deadline = time.monotonic() + patience
    found = scheduled(api_url, login)
    while any(one.next_run is None for one in found) and time.monotonic() < deadline:
        time.sleep(1)
        found = scheduled(api_url, login)
    return found


def _deployments(http: httpx.Client) -> Iterator[dict[str, Any]]:
    offset = 0
    while page := _post(http, "deployments/filter", {"limit": PAGE, "offset": offset}):
        yield from page
        offset += len(page)


def _next_run(http: httpx.Client, deployment: str) -> datetime | None:
    found = _post(http, "flow_runs/filter", {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}},
                      "expected_start_time": {"after_": datetime.now(UTC).isoformat()}},
        "sort": "EXPECTED_START_TIME_ASC", "limit": 1})  # fmt: skip
    return datetime.fromisoformat(found[0]["expected_start_time"]) if found else None


def _post(http: httpx.Client, path: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.post(path, json=content).raise_for_status().json()
    return found
