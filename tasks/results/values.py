"""The values that measurement stages write and the gate, the card and the report read.

They live apart from the stages that make them, so that no stage imports another.
"""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from infra.errors import ArtifactError

REPORT_FILE = "report.json"
Verdict = Literal["pass", "fail", "needs_more_rows"]


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelScores(Value):
    """Quality of one model on the test split."""

    name: str = Field(description="what the flow calls the model")
    accuracy: float
    macro_f1: float
    micro_f1: float
    roc_auc: float | None = Field(
        description="macro one-vs-rest over classes present in the test split; null for one class"
    )
    expected_calibration_error: float = Field(
        description="15 equal-width bins of the largest softmax probability"
    )
    aurc: float = Field(
        description="area under the risk-coverage curve: mean share of wrong answers over all shares of the texts that are "
        "answered, the most confident first"
    )
    in_scope_accuracy: float | None = Field(
        description="accuracy over in-scope rows; null without an out-of-scope label"
    )
    out_of_scope_recall: float | None
    out_of_scope_auroc: float | None = Field(
        description="AUROC of the rule's score, in scope against out of scope"
    )


class Validation(Value):
    """Quality of one model on validation, which a search chooses by."""

    rows: int
    accuracy: float = Field(
        description="expected in traffic: out-of-scope rows count by their expected share"
    )


class ClassScores(Value):
    """Precision, recall and F1 of one class of the released model."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Confusion(Value):
    """A pair of classes that the released model mixes up."""

    actual: str
    predicted: str
    count: int


class EvaluationReport(Value):
    """Quality of every model on the same test split, `report.json` of the evaluate stage."""

    test_rows: int
    labels: tuple[str, ...]
    out_of_scope: str | None
    models: tuple[ModelScores, ...]
    per_class: tuple[ClassScores, ...]
    confusions: tuple[Confusion, ...] = Field(
        description="the commonest confusions of the released model, most first"
    )

    def scores(self, name: str) -> ModelScores:
        """Scores of one model by name; raises ArtifactError for a name that was not evaluated."""
        return _named(self.models, name)


class Timing(Value):
    """Speed and size of one model in one runtime."""

    name: str = Field(description="what the flow calls the model, or yardstick")
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
    p95_ms: float = Field(description="95th percentile of all timed calls, milliseconds")
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
        return _named(self.models, name)


class ClassFall(Value):
    """How the recall of one class changed from the reference to the candidate."""

    label: str
    rows: int = Field(description="test rows of the class")
    recall_difference: float = Field(description="candidate minus reference, as a share of these rows")
    p_value: float = Field(
        description="of the hypothesis that the fall is within the floor, after Holm's correction over the classes"
    )


class GateVerdict(Value):
    """Whether the candidate may be released in the reference's place, and on what evidence."""

    verdict: Verdict
    reasons: tuple[str, ...] = Field(description="one plain sentence for each condition, passed or not")
    candidate: str
    reference: str
    margin: float = Field(
        description="largest loss of accuracy that still counts as non-inferior, 0.03 = 3 points"
    )
    confidence: float = Field(description="confidence of the interval, 0.95")
    accuracy_difference: float = Field(description="candidate minus reference on the same test rows")
    interval: tuple[float, float] = Field(description="score interval of the difference, which decides")
    bootstrap_interval: tuple[float, float] = Field(
        description="paired bootstrap interval of the same, for comparison"
    )
    mcnemar_p: float = Field(description="exact two-sided McNemar test of equal accuracy")
    rows: int = Field(description="paired test rows")
    power: float = Field(
        description="chance to pass of a candidate exactly as accurate as the reference, at these rows and this "
        "share of rows on which the two differ"
    )
    rows_needed: int | None = Field(
        description="test rows that would decide, when the verdict is needs_more_rows"
    )
    class_floor: float = Field(
        description="largest fall of a class's recall that is allowed, 0.1 = 10 points"
    )
    classes: int = Field(description="classes with test rows")
    largest_fall: ClassFall = Field(description="the class whose recall fell most, or rose least")
    failed_classes: tuple[ClassFall, ...] = Field(
        description="classes shown to have lost more than the floor, largest fall first"
    )
    visible_fall: float | None = Field(
        description="smallest fall of recall that a class of median size would fail by; null if none"
    )
    size_ratio: float = Field(description="reference bytes over candidate bytes")
    latency_ratio: float = Field(description="reference p50 over candidate p50")
    latency_interval: tuple[float, float] | None = Field(
        description="interval of that ratio over the benchmark's rounds; null when they are too few for one"
    )
    beats_baseline: bool | None = Field(
        description="candidate's accuracy above TF-IDF's; null when there is no baseline"
    )


class PublishedDataset(Value):
    """Where a curated data set lies on the Hub."""

    repo: str = Field(description="owner/name")
    revision: str = Field(description="revision by content: the same rows have the same one")
    path: str = Field(description="folder of this revision on the local Hub, or its address")


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


Report = TypeVar("Report", bound=Value)


def read_report(folder: Path, kind: type[Report]) -> Report:
    """Read `report.json` of an artifact as `kind`; raises ArtifactError when it is not there."""
    path = folder / REPORT_FILE
    if not path.is_file():
        raise ArtifactError(
            f"{folder} has no {REPORT_FILE}: expected a {kind.__name__}. Run the stage again."
        )
    return kind.model_validate_json(path.read_text())


def write_report(folder: Path, report: Value) -> None:
    """Write `report.json` of an artifact."""
    (folder / REPORT_FILE).write_text(report.model_dump_json(indent=2) + "\n")


Item = TypeVar("Item", ModelScores, Timing)


def _named(items: tuple[Item, ...], name: str) -> Item:
    for item in items:
        if item.name == name:
            return item
    raise ArtifactError(
        f"no model named {name!r} in the report: found {[item.name for item in items]}. Measure it first."
    )
