"""What the benchmark measured."""

from pydantic import Field

from tasks.formats.report_file import Named, named
from tasks.formats.value import Value


class Timing(Named):
    """Speed and size of one model in one runtime."""

    runtime: str = Field(description="library and version, such as onnxruntime 1.31.1")
    threads: int
    spinning: bool | None = Field(
        None, description="whether idle threads spin before they sleep; null where it cannot be set"
    )
    size_bytes: int = Field(
        description="every file that inference needs: graph or weights, tokenizer, config"
    )
    p50_ms: float = Field(
        description="latency of one query, batch 1, tokenizer included, milliseconds: median of the rounds' medians"
    )
    text_p50_ms: float = Field(description="median over test texts, each timed once, milliseconds")
    p95_ms: float = Field(description="95th percentile of the same")
    p99_ms: float
    rows_per_s: float = Field(description="throughput at the report's batch size over real test texts")
    round_p50_ms: tuple[float, ...] = Field(
        (),
        description="median latency of each round, in their order: the same round of two models is a pair",
    )


class BenchmarkReport(Value):
    """Every runtime measured side by side, `report.json` of the benchmark stage."""

    query: str
    warmups: int
    timed: int = Field(description="timed calls a round")
    rounds: int = Field(description="rounds, interleaved over the runtimes")
    texts: int = Field(description="test texts that were timed once each")
    batch_size: int
    cpu: str
    cpu_flags: tuple[str, ...] = Field(description="vector extensions that matter here, such as avx512_vnni")
    cores: int
    idle_cpu_share: float = Field(
        0.0,
        description="largest share of a core that a waiting runtime used; near 0: none disturbs another",
    )
    models: tuple[Timing, ...]

    def timing(self, name: str) -> Timing:
        """Timing of one model by name; raises ArtifactError for a name that was not measured."""
        return named(self.models, name)
