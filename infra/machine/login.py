"""The login of the Prefect servers that we start: a random string of the home, asked for by each, sent by their clients.

Whoever reaches the port of a server without one, another user of the machine or a web page in the user's own browser,
runs commands as the user of its worker. Not ours, and left alone: a server that the user names (PREFECT_API_URL, a
profile), and a string of the user's own for ours (PREFECT_SERVER_API_AUTH_STRING).
"""

import base64
import os
import secrets
import stat
from pathlib import Path

from infra.errors import ServiceError
from infra.files import disk_errors, file_lock, make_folder, write_atomically
from infra.settings import Settings, without_credentials

SERVER_LOGIN, CLIENT_LOGIN = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
API_KEY = "PREFECT_API_KEY"  # Prefect Cloud's: nothing for a server of ours
REFUSED = (401, 403)
OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR


def login_file(settings: Settings) -> Path:
    """Where the string of a home lies, for its owner alone."""
    return settings.home / "prefect" / "login"


def make_login(settings: Settings) -> str:
    """The string of this home, made the first time, and again once others could read it. Called where no server has it yet."""
    file = login_file(settings)
    with disk_errors(settings.home):
        for folder in (file.parent, settings.locks):
            make_folder(settings, folder)
        with file_lock(settings.locks / "login.lock"):
            kept = _kept(file)
            if kept is None:
                kept = secrets.token_urlsafe(32)
                write_atomically(file, kept + "\n", OWNER_ONLY)
    return kept


def read_login(settings: Settings) -> str:
    """The string that the servers of `stillhouse up` ask for. Raises ServiceError with the remedy where it cannot be read."""
    file = login_file(settings)
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ServiceError(
            f"{file} cannot be read ({error.strerror}): it holds what the Prefect server of `stillhouse up` asks its clients "
            "for. Run this as the user who ran `up`; where the file is gone, `stillhouse down`, then `up` again, "
            "makes a new one."
        ) from None


def server_login(settings: Settings) -> str:
    """What a server that we start asks for: the user's own string where one is set, else the home's."""
    return os.environ.get(SERVER_LOGIN) or make_login(settings)


def log_in(login: str) -> None:
    """From here on this process and its children send the string, and no key of another server."""
    os.environ[CLIENT_LOGIN] = login
    os.environ.pop(API_KEY, None)


def headers(login: str | None) -> dict[str, str]:
    """What a request of our own carries to be let in."""
    if not login:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def refused(api_url: str) -> ServiceError:
    """The error for a Prefect server that does not let this process in."""
    return ServiceError(
        f"the Prefect server at {without_credentials(api_url)} does not let this process in: {CLIENT_LOGIN} is missing or is "
        "not the login that it asks for. Is it the server of `stillhouse up`, take its login by "
        '`eval "$(stillhouse env)"` with the STILLHOUSE_HOME of that `up`, or make a new one: `stillhouse '
        f"down`, then `up` again. Is it a server of your own, set {CLIENT_LOGIN} (or {API_KEY}) to its login. To do without "
        "it: `unset PREFECT_API_URL`."
    )


def _kept(file: Path) -> str | None:
    """What the file holds; None where there is none, or others than its owner may read it."""
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return text if text and not stat.S_IMODE(mode) & ~OWNER_ONLY else None
