"""What passes between stages, by kind: references to content, never the content."""

from infra.store.references import ArtifactRef


class SourceRef(ArtifactRef):
    """Tables outside the store, pinned by their content."""


class DatasetRef(ArtifactRef):
    """Rows as parquet: an extract or a curated data set."""


class TokenizerRef(ArtifactRef):
    """`tokenizer.json` and what belongs to it."""


class TokensRef(ArtifactRef):
    """Texts as packed tokens: a folder a split, and `report.json`."""


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


class MasksRef(ArtifactRef):
    """Rows of packed text with the hidden tokens that masked language models are evaluated on."""
