"""What passes between stages: small frozen references to content, never the content."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

STORE_SCHEME = "artifact:"


class ArtifactRef(BaseModel):
    """Where an artifact lies and what it is: two references with one digest are the same thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(description="`artifact:<stage>/<key>` in the store, or `file:///...` outside of it")
    digest: str = Field(description="sha256 of the content (of the sorted file digests for a folder), hex")


class SourceRef(ArtifactRef):
    """Tables outside the store, pinned by their content."""


class DatasetRef(ArtifactRef):
    """Rows as parquet: an extract or a curated data set."""


class TokenizerRef(ArtifactRef):
    """`tokenizer.json` and what belongs to it."""


class CheckpointRef(ArtifactRef):
    """A PyTorch model in transformers' layout."""


class LogitsRef(ArtifactRef):
    """A teacher's vectors and logits over a list of texts."""


class OnnxModelRef(ArtifactRef):
    """One self-contained ONNX file with its tokenizer and config."""


class BaselineRef(ArtifactRef):
    """A fitted scikit-learn pipeline."""


class PredictionsRef(ArtifactRef):
    """Logits of one model over the validation and test splits."""


class ReportRef(ArtifactRef):
    """A measured value (`report.json`) with its plots."""


class ReleaseRef(ArtifactRef):
    """The files of a release, as a user gets them."""


class Pending(BaseModel):
    """Stands for a result in a dry run: nothing was computed, and `reason` says why it would be."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["miss", "action"]
