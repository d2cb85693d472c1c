"""The settings that a row's own search found, kept beside its model so that the page can print them."""

import json
from pathlib import Path

from pydantic import JsonValue

SETTINGS_FILE = "settings.json"
Settings = dict[str, JsonValue]


def write_settings(folder: Path, settings: Settings) -> None:
    """Keep what was found."""
    (folder / SETTINGS_FILE).write_text(json.dumps(dict(settings), indent=2) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, JsonValue]:
    """What was found; nothing for a row that searched for nothing."""
    path = folder / SETTINGS_FILE
    found: dict[str, JsonValue] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
