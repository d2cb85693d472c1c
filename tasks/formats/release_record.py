"""What became of a candidate."""

from pydantic import Field

from tasks.formats.gate_verdict import Verdict
from tasks.formats.value import Value


class ReleaseRecord(Value):
    """What became of a candidate: released, or registered as a challenger only."""

    name: str = Field(description="owner/name on the Hub")
    verdict: Verdict
    revision: str | None = Field(description="revision on the Hub; null unless it is released")
    path: str | None = Field(
        description="folder of the release; null unless the verdict is pass and no rollback took it down"
    )
    registered_name: str = Field(description="the model's name in MLflow's registry")
    registered_version: str | None = Field(
        description="version in MLflow's registry; null when it could not be registered"
    )
    unregistered: str | None = Field(
        None,
        description="what MLflow's registry could not be told, and why: the next run does it; null when it knows all",
    )
    aliases: tuple[str, ...] = Field(
        description="aliases set on that version: challenger, and champion on pass"
    )
    package_digest: str = Field(description="digest of the package artifact: model, config and tokenizer")
    model_sha256: str = Field(description="sha256 of onnx/model_quantized.onnx")
    note: str | None = Field(
        None,
        description="what else a person should know: why a candidate that passed was not released, or that the "
        "champion did not pass",
    )
    summary: str | None = Field(
        None, description="JSON of the run that made it; null until the report is written"
    )
