"""Find the tokenizer that ours is compared with: GPT-2's, one of the Hub, or a folder's."""

from pathlib import Path

from infra.errors import ConfigError, HubError
from tasks.tokenizers.code.reference.config import PACKAGED, ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.gpt2 import gpt2_folder
from tasks.tokenizers.files import TOKENIZER_FILE, read_tokenizer


def resolve_reference(config: ReferenceTokenizerConfig, downloads: Path, token: str | None = None) -> Path:
    """A folder with a tokenizer.json that can be read; `downloads` keeps what is fetched.

    An existing folder wins over a Hub id of the same name.

    Raises:
        ConfigError: no source was given, or it is neither of the three.
        ArtifactError: the tokenizer is damaged.
        HubError: it cannot be fetched.
    """
    source = config.source
    if source is None:
        raise ConfigError(
            "reference.source is not set: expected a tokenizer to compare with. Set it to gpt2."
        )
    local = Path(source).expanduser()
    if source == PACKAGED:
        folder = gpt2_folder(downloads)
    elif (local / TOKENIZER_FILE).is_file():
        folder = local.resolve()
    elif local.exists() or source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise ConfigError(
            f"reference.source is {source!r}: expected {PACKAGED}, a Hub id (`org/name`) or a folder with {TOKENIZER_FILE}. "
            "Save one there: AutoTokenizer.from_pretrained(ID).save_pretrained(FOLDER)."
        )
    else:
        folder = _from_hub(source, config.revision, downloads / "hub", token)
    read_tokenizer(folder)
    return folder


def _from_hub(repo: str, revision: str | None, downloads: Path, token: str | None) -> Path:
    # Only a Hub id pays for importing the client.
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = hf_hub_download(repo, TOKENIZER_FILE, revision=revision, cache_dir=downloads, token=token)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError) as error:
        said = (str(error).strip().splitlines() or ["no message"])[0]
        raise HubError(
            f"{TOKENIZER_FILE} of {repo} at {revision or 'main'} cannot be fetched ({type(error).__name__}: {said}): expected "
            "a repository of the Hub that has it. Correct `--reference.source`, set STILLHOUSE_HUB_TOKEN for a private one, or "
            "give a folder."
        ) from error
    return Path(found).parent
