"""How large and how fast the bodies of some encoders are: `report.json` of their timing."""

from pathlib import Path

from pydantic import Field

from infra.errors import ArtifactError
from tasks.formats.report_file import Named, named, read_report
from tasks.formats.value import Value


class BodyLatency(Value):
    """One batch size of one model."""

    batch_size: int
    latency_ms: float = Field(description="of one batch, milliseconds: median of the rounds' medians")
    round_p50_ms: tuple[float, ...] = Field(
        description="median of each round, in their order: the same round of two models is a pair"
    )
    speedup: float = Field(
        1.0, description="the reference's latency over this one's; above 1: faster than it"
    )
    speedup_interval: tuple[float, float] | None = Field(
        None, description="95% interval of it over the rounds; null for the reference itself"
    )


class BodyTiming(Named):
    """One model."""

    runtime: str = Field(description="library and version, such as torch 2.13.0")
    architecture: str = Field(description="type of model as transformers calls it, such as distilbert")
    layers: int | None = Field(description="null where the configuration does not say")
    parameters: int = Field(description="of the body: embeddings and layers, without a head and a pooler")
    layer_parameters: int = Field(description="of the layers alone")
    weight_bytes: int = Field(description="of the files with weights as they lie, a head's too")
    latencies: tuple[BodyLatency, ...]

    def latency(self, batch_size: int) -> BodyLatency:
        """Raises ArtifactError for a batch size that was not measured."""
        for latency in self.latencies:
            if latency.batch_size == batch_size:
                return latency
        raise ArtifactError(
            f"{self.name} was not timed with batches of {batch_size}: found "
            f"{[latency.batch_size for latency in self.latencies]}. Measure it first."
        )


class BodiesReport(Value):
    """`report.json`: every body measured side by side, the reference first."""

    reference: str
    tokens: int = Field(description="tokens of each row")
    warmups: int
    timed: int = Field(description="rows that were timed in a round; of larger batches two at least")
    rounds: int = Field(description="rounds, interleaved over the models")
    threads: int
    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    idle_cpu_share: float = Field(description="largest share of a core that a waiting model used")
    models: tuple[BodyTiming, ...]

    def timing(self, name: str) -> BodyTiming:
        """One model by name; raises ArtifactError for a name that was not measured."""
        return named(self.models, name)


def read_bodies(folder: Path) -> BodiesReport:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, BodiesReport)
