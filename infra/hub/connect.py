"""Which Hub the settings mean: a folder, or one on the network."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.errors import ConfigError
from infra.hub.local import LocalHub
from infra.hub.named_by import naming_file, own_token
from infra.hub.protocol import NAME, Hub
from infra.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_hub(settings: Settings) -> Hub:
    """The Hub of STILLHOUSE_HUB: `local` (under the home), a path, `file:///path` or `https://huggingface.co/OWNER`.

    Raises ConfigError for any other address.
    """
    uri = settings.hub
    if uri == "local":
        return LocalHub(settings.hub_folder)
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return LocalHub(Path(unquote(parts.path)))
    if not parts.scheme:
        return LocalHub(Path(uri).expanduser().resolve())
    endpoint, _, owner = uri.rstrip("/").rpartition("/")
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or "@" in parts.netloc or not parts.path.strip("/") or not NAME.fullmatch(owner):
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise ConfigError(
            f"STILLHOUSE_HUB is {shown!r}: expected `local`, a folder, or https://huggingface.co/OWNER, where OWNER "
            "is your name or your organisation (plain http only on this machine; the token belongs into "
            "STILLHOUSE_HUB_TOKEN). Correct it."
        )
    # The client reads it when it is imported. With plain LFS the Hub itself says which shards it has already.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from infra.hub.remote import RemoteHub

    return RemoteHub(
        endpoint,
        owner,
        settings.hub_cache / parts.netloc.replace(":", "-"),
        settings.hub_private,
        own_token(settings),
        naming_file(settings),
    )
