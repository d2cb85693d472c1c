"""Which login the tracking server gets: that of whoever named it.

MLflow's client sends the login of the environment, or of ~/.mlflow/credentials, to whatever server it is pointed at. One that
a file names (the `.env` that is read, `services.json`) gets the login that stands in that same `.env`, or none.
"""

import logging
import os
from pathlib import Path

from infra import env_file
from infra.settings import Settings, without_credentials

logger = logging.getLogger(__name__)
USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
LOGIN = (USER, PASSWORD, TOKEN)
# Ask others for a login, or sign with AWS keys.
SIGNING = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
CREDENTIALS = "~/.mlflow/credentials"
NOBODY = "nobody"  # in place of what MLflow would read from there


def choose_login(settings: Settings, uri: str) -> None:
    """Leave MLflow's client in this process, and in its children, the login that the server at `uri` may get.

    What is held back is said, where somebody may have counted on it.
    """
    file = settings.source_of("mlflow_uri")
    named_by_user = settings.mlflow_uri is not None and file is None
    if named_by_user or not uri.startswith(("http:", "https:")):
        return
    given = {name: value for name, value in env_file.values(file).items() if name in LOGIN and value}
    kept = (None, NOBODY)
    held = [name for name in (*LOGIN, *SIGNING) if os.environ.get(name) not in (*kept, given.get(name))]
    for name in held:
        del os.environ[name]
    os.environ.update(given)
    if _login_file().is_file() and not (given.get(USER) and given.get(PASSWORD)):
        os.environ.update({USER: NOBODY, PASSWORD: NOBODY})
        held.append(CREDENTIALS)
    if held and file is not None:
        logger.warning(
            "%s: not sent to MLflow at %s, because %s names it, and a host that a file names gets a login of that file alone. "
            "Set MLFLOW_TRACKING_TOKEN in it, or name the host in the environment: STILLHOUSE_MLFLOW_URI.",
            ", ".join(held), without_credentials(uri), file,
        )  # fmt: skip


def _login_file() -> Path:
    return Path(os.path.expanduser(CREDENTIALS))  # noqa: PTH111  (Path's raises without a HOME)
