"""What a run of `flows.distill_lm` was: the JSON of its `--report FILE.json`. Its schema is
`docs/distill-lm-report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.reporting.distill_summary > docs/distill-lm-report.schema.json`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ConfigDict, Field

from tasks.formats.bodies_report import BodiesReport, read_bodies
from tasks.formats.encoder_comparison import ComparedEncoder, read_comparison
from tasks.formats.lm_report import LmEvaluation, read_lm_evaluation
from tasks.formats.panel_report import PanelReport, PanelRow, read_panel
from tasks.formats.value import Value
from tasks.reporting.language_model_summary import LanguageModelRecord, LanguageModelSummary, run_facts
from tasks.reporting.summary import Run, schema_text

TEACHER, STUDENT, UNDISTILLED = "teacher", "student", "undistilled"
PLAIN_UNDISTILLED, RANDOM = "plain undistilled", "from random weights"


class DistilledRow(Value):
    """One model. What was not measured of it is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")  # JSON has no infinity

    name: str
    perplexity: float = Field(description="on the frozen masks of the test split")
    panel: float | None = Field(description="mean accuracy over the panel after the same fine-tuning, 0 to 1")
    panel_seeds: int | None = Field(description="draws of labelled rows, each with a fine-tuning")
    retained: float | None = Field(description="share of the teacher's panel")
    retained_for_sure: float | None = Field(
        description="the largest such share that the interval says it keeps"
    )
    over_undistilled: float | None = Field(description="panel minus the undistilled student's")
    over_undistilled_interval: tuple[float, float] | None
    parameters: int
    layer_parameters: int = Field(description="without embeddings and head")
    weight_bytes: int | None = Field(description="of the files with weights")
    latency_ms: float | None = Field(description="of the body, one row of 128 tokens unless asked otherwise")
    latency_by_batch_ms: dict[int, float] | None
    speedup_by_batch: dict[int, float] | None = Field(description="the teacher's latency over this one's")


class Distilled(Value):
    """What came of it."""

    checkpoint: str
    evaluation: str
    rows: tuple[DistilledRow, ...] = Field(
        description="the teacher first; rows `without ...` leave a term of the loss out"
    )
    ablation_probes: tuple[ComparedEncoder, ...] = Field(
        description="linear probes of the student and of those without a term, beside the student; empty where not asked for"
    )


class DistillLmSummary(LanguageModelSummary):
    """One run of `flows.distill_lm`."""

    distill_lm: Distilled


def distilled(uris: Mapping[str, str], folders: Mapping[str, Path]) -> Distilled:
    """Put together what the stages measured, by the names that `report_distilled` has for them."""
    panel = read_panel(folders["panel"]) if "panel" in folders else None
    probed = read_comparison(folders["probed"]).encoders if "probed" in folders else ()
    rows = _rows(read_lm_evaluation(folders["evaluation"]), read_bodies(folders["bodies"]), panel)
    return Distilled(
        checkpoint=uris["checkpoint"], evaluation=uris["evaluation"], rows=tuple(rows), ablation_probes=probed
    )


def _rows(
    evaluation: LmEvaluation, bodies: BodiesReport, panel: PanelReport | None
) -> Iterator[DistilledRow]:
    """A row a model, in the order of the evaluation."""
    scored = {row.name: row for row in panel.rows} if panel else {}
    timed = {model.name: model for model in bodies.models}
    for model in evaluation.models:
        timing = timed.get(model.name)
        by_batch = {one.batch_size: one for one in timing.latencies} if timing else {}
        yield DistilledRow(
            name=model.name,
            perplexity=model.perplexity,
            parameters=model.parameters,
            layer_parameters=model.layer_parameters,
            weight_bytes=timing.weight_bytes if timing else None,
            latency_ms=timing.latencies[0].latency_ms if timing else None,
            latency_by_batch_ms={size: one.latency_ms for size, one in by_batch.items()} or None,
            speedup_by_batch={size: one.speedup for size, one in by_batch.items()} or None,
            **_panel_fields(scored.get(model.name)),
        )


def _panel_fields(row: PanelRow | None) -> dict[str, float | int | tuple[float, float] | None]:
    return {
        "panel": row.score if row else None,
        "panel_seeds": row.seeds if row else None,
        "retained": row.retained if row else None,
        "retained_for_sure": row.keeps if row and row.seeds > 1 else None,
        "over_undistilled": row.over_undistilled if row else None,
        "over_undistilled_interval": row.interval if row else None,
    }


def summarise_distilled(run: Run, found: Distilled, page: Path, machine: dict[str, str]) -> DistillLmSummary:
    """The run that ended in `found`."""
    return DistillLmSummary(distill_lm=found, **run_facts(run, page, machine))


def read_distill_summary(record: LanguageModelRecord) -> DistillLmSummary:
    """The JSON of the run that made a record."""
    return DistillLmSummary.model_validate_json(Path(record.summary).read_bytes())


if __name__ == "__main__":
    print(schema_text(DistillLmSummary))
