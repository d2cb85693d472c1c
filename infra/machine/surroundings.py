"""What other programs and administrators have set in this process's environment, and what containers leave out of it.

What a run can live with is set right; what would stop it is an `Obstacle`, with the variable's name and the remedy.
"""

import getpass
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import httpx

from infra.errors import ConfigError
from infra.settings import without_credentials

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
LOOPBACKS = ("127.0.0.1", "localhost", "::1")
PREFECT_API, PREFECT_CLOUD = "PREFECT_API_URL", "prefect.cloud"
ANSWER_SECONDS = 10.0
HEALTHY = "true"


@dataclass(frozen=True)
class Obstacle:
    """A variable that would stop a run, what was found in it, and what to do."""

    variable: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.variable} {self.found}. {self.remedy}"


def set_right(home: Path) -> None:
    """Set what this process and its children need and others have left out; what a user has set stays in force.

    `home` is STILLHOUSE_HOME: it stands in for a user's folder where there is none.
    """
    _never_proxy_loopback()
    _have_a_user(home)
    _print_anything()


def obstacles() -> Iterator[Obstacle]:
    """What would stop any run, in the order in which it would be met."""
    for name in CERTIFICATES:
        value = os.environ.get(name)
        if value and not Path(value).expanduser().exists():
            kind = "folder" if name.endswith("_DIR") else "file"
            yield Obstacle(
                name,
                f"is {value}, which is not there: expected a {kind} of certificates",
                f"Correct it, or take it away: `unset {name}`.",
            )
    if importlib.util.find_spec("socksio") is None:
        for scheme, proxy in getproxies_environment().items():
            if scheme in ("http", "https", "all") and urlsplit(proxy).scheme.startswith("socks"):
                name = _spelled(f"{scheme}_proxy")
                yield Obstacle(
                    name,
                    f"is {without_credentials(proxy)}: a SOCKS proxy is used by way of the package socksio, which is "
                    "not installed",
                    f"Install it: `pip install 'httpx[socks]'`, or take the variable away: `unset {name}`.",
                )


def api_obstacle(url: str, variable: str = PREFECT_API) -> Obstacle | None:
    """Why flows cannot use the Prefect server at `url`; None when it answers, or is Prefect Cloud."""
    if is_cloud(url):
        return None
    shown = without_credentials(url)
    try:
        # Nothing secret is sent, and whether its certificate is good is Prefect's own question.
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS, verify=False)
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        found = f"is {shown}, where nothing answers ({error})"
    else:
        if (answer.is_success and answer.text.strip() == HEALTHY) or answer.status_code in (401, 403):
            return None
        found = f"is {shown}, which answers {answer.status_code} to /health"
        if answer.is_success:  # Its UI does, at any address: the end of this one is missing.
            found += " with a page, not with Prefect's `true` (its address ends in /api)"
    return Obstacle(
        variable,
        f"{found}: expected Prefect's server",
        f"Start that server, or take the variable away (`unset {variable}`): a run then brings its own.",
    )


def is_cloud(url: str) -> bool:
    """Whether a Prefect server is Prefect Cloud."""
    return (urlsplit(url).hostname or "").endswith(PREFECT_CLOUD)


def refuse_obstacles() -> None:
    """Raises ConfigError naming each variable that would stop a run, with the remedy."""
    if found := [str(obstacle) for obstacle in obstacles()]:
        raise ConfigError("the environment is in the way: " + " ".join(found))


def _never_proxy_loopback() -> None:
    """Our own servers are on this machine, where no proxy is: added to what the user has excepted."""
    if not any(scheme != "no" for scheme in getproxies_environment()):
        return
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    entries = [entry for part in excepted.split(",") if (entry := part.strip())]
    merged = ",".join([*entries, *(name for name in LOOPBACKS if name not in entries)])
    for name in ("no_proxy", "NO_PROXY"):  # some programs read the one, some the other
        os.environ[name] = merged


def _have_a_user(home: Path) -> None:
    """A container's user may have no home (`docker --user` makes it `/`) and no name: libraries fail for want of either."""
    try:
        found = Path.home()
    except RuntimeError:
        found = None
    if found is None or (found == Path(found.anchor) and not os.access(found, os.W_OK)):
        os.environ["HOME"] = str(home)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # Python 3.13 raises the latter.
        os.environ["USER"] = f"uid-{os.getuid()}"


def _print_anything() -> None:
    """A child whose output is in a small character set prints what is not in it as an escape, and goes on."""
    encoding = os.environ.get("PYTHONIOENCODING")
    if encoding and not re.search(r":.", encoding):
        os.environ["PYTHONIOENCODING"] = f"{encoding.rstrip(':')}:backslashreplace"


def _spelled(name: str) -> str:
    return name if name in os.environ else name.upper()
