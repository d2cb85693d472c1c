"""Who named the Hub, and which token it may get therefore.

A host that a file names gets a token of that same file alone: HF_TOKEN, `hf auth login` and a STILLHOUSE_HUB_TOKEN of the
environment are the user's, and go to huggingface.co, or to a host that the user's own environment names.
"""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from infra.settings import Settings

HUGGING_FACE = "https://huggingface.co/"


def naming_file(settings: Settings) -> Path | None:
    """The file that names a Hub on the network; None where the environment does, and for huggingface.co."""
    if urlsplit(settings.hub).scheme not in ("http", "https") or settings.hub.startswith(HUGGING_FACE):
        return None
    return settings.source_of("hub")


def own_token(settings: Settings) -> SecretStr | None:
    """STILLHOUSE_HUB_TOKEN, where it may go to the Hub of the settings."""
    stranger = naming_file(settings) is not None and settings.source_of("hub_token") is None
    return None if stranger else settings.hub_token


def held_back(settings: Settings) -> str:
    """What to say of a token that is there and is not sent; empty where none is held back."""
    file = naming_file(settings)
    if file is None or own_token(settings) is not None:
        return ""
    from huggingface_hub.utils import get_token

    there = settings.hub_token is not None or get_token() is not None
    return no_token_for(settings.hub.rstrip("/").rpartition("/")[0], file) if there else ""


def no_token_for(endpoint: str, file: Path) -> str:
    """Why no token is sent to a Hub, and how it gets one."""
    return (
        f"no token is sent to {endpoint}: {file} names it, and a host that a file names gets a token of that file alone. "
        "Set STILLHOUSE_HUB_TOKEN in it, or name the host where your token is: set STILLHOUSE_HUB in the environment."
    )
