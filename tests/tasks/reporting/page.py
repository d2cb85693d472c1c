"""A page with figures like a real run's: 151 labels, seven models, plots, curves, a lineage."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

from tasks.data.curation.section import curation_section
from tasks.data.extraction.section import extract_section
from tasks.evaluation.comparison import compare
from tasks.evaluation.gate.section import gate_section
from tasks.evaluation.latency.section import benchmark_section
from tasks.evaluation.section import evaluation_section
from tasks.figures.lineage import LineageNode
from tasks.formats.curation_report import CurationReport, Example, Step
from tasks.formats.evaluation_report import ClassScores, Confusion, EvaluationReport
from tasks.formats.gate_verdict import ClassFall, GateVerdict, Verdict
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.report_file import write_report
from tasks.formats.section import Section
from tasks.reporting.headline import comparison_section, run_headline, verdict_section
from tasks.reporting.html import Page
from tasks.reporting.sections import page_section
from tasks.reporting.summary import RunSummary, StageSummary
from tests.tasks.evaluation.gate.reports import benchmark, evaluation

MARKUP = "<script>alert('from the data')</script>"
ROWS = ("tfidf", "yardstick", "teacher", "student", "onnx", "onnx_int8", "released")
PREDICTIONS = tuple(f"predict: {name}" for name in ROWS if name != "yardstick")
CHAIN: dict[str, tuple[str, ...]] = {
    "warehouse": (),
    "base model": (),
    "extract": ("warehouse",),
    "curate": ("extract",),
    "train_teacher": ("base model", "curate"),
    "build_tokenizer": ("base model", "curate"),
    "teacher_outputs": ("train_teacher", "curate"),
    "distill": ("train_teacher", "teacher_outputs", "build_tokenizer", "curate"),
    "export_onnx": ("distill", "curate"),
    "quantize": ("export_onnx",),
    "check_parity": ("distill", "export_onnx", "curate"),
    "package": ("quantize",),
    "fit_baseline": ("curate",),
    "predict: tfidf": ("fit_baseline", "curate"),
    "predict: teacher": ("train_teacher", "curate"),
    "predict: student": ("distill", "curate"),
    "predict: onnx": ("export_onnx", "curate"),
    "predict: onnx_int8": ("quantize", "curate"),
    "predict: released": ("package", "curate"),
    "evaluate": (*PREDICTIONS, "curate"),
    "benchmark": ("fit_baseline", "train_teacher", "distill", "export_onnx", "quantize", "package", "curate"),
    "gate": ("evaluate", "benchmark", "predict: teacher", "predict: released", "curate"),
}
SQL = """SELECT q.text,
       IF(i.domain IN UNNEST(@domains), q.intent, 'oos') AS label
FROM `assistant.queries` AS q
JOIN `assistant.intents` AS i USING (intent)"""
SOURCES = {"warehouse": "SourceRef", "base model": "CheckpointRef"}


def fake_digest(name: str) -> str:
    """A digest that differs from name to name."""
    return hashlib.sha256(name.encode()).hexdigest()


def big_evaluation() -> EvaluationReport:
    """151 labels, one of them with markup for a name."""
    rng = np.random.default_rng(0)
    labels = (MARKUP, *(f"intent_{i:03d}" for i in range(149)), "oos")
    f1 = np.clip(rng.beta(14, 1.2, len(labels)), 0.4, 1)
    per_class = tuple(
        ClassScores(label=name, precision=min(1.0, f + 0.02), recall=f - 0.02, f1=f, support=30)
        for name, f in zip(labels, f1.tolist(), strict=True)
    )
    confusions = tuple(Confusion(actual="oos", predicted=f"intent_{i:03d}", count=24 - i) for i in range(12))
    plain = evaluation(5_500)
    return plain.model_copy(update={"labels": labels, "per_class": per_class, "confusions": confusions})


def verdict(outcome: Verdict = "pass") -> GateVerdict:
    """The gate's evidence for an outcome."""
    low, point, high = {
        "pass": (-0.0258, -0.0191, -0.0124),
        "fail": (-0.0511, -0.0437, -0.0362),
        "needs_more_rows": (-0.0402, -0.0255, -0.0111),
    }[outcome]
    return GateVerdict(
        verdict=outcome,
        reasons=(
            "Smaller: 4.90 MB against the teacher's 91.40 MB (18.7x).",
            "Faster: 0.38 ms at p50 against the teacher's 8.10 ms (21.3x).",
            f"{100 * point:+.2f} points of accuracy against the teacher, margin -3.00.",
            "Beats the TF-IDF baseline: 0.913 against 0.868 (+4.50 points).",
        ),
        candidate="released",
        reference="teacher",
        margin=0.03,
        confidence=0.95,
        accuracy_difference=point,
        interval=(low, high),
        bootstrap_interval=(low, high),
        mcnemar_p=3.2e-8,
        rows=5_500,
        power=0.99,
        rows_needed=9_200 if outcome == "needs_more_rows" else None,
        class_floor=0.1,
        classes=151,
        largest_fall=ClassFall(label=MARKUP, rows=30, recall_difference=-0.2, p_value=1.0),
        failed_classes=(),
        visible_fall=0.5,
        size_ratio=18.7,
        latency_ratio=21.3,
        latency_interval=(20.9, 21.8),
        beats_baseline=True,
    )


def run_summary(outcome: Verdict = "pass") -> RunSummary:
    """A run of all stages, some of them cached."""
    stages = [name for name in CHAIN if name not in SOURCES]
    seconds = {"train_teacher": 165.2, "distill": 189.7, "benchmark": 62.0, "teacher_outputs": 21.4}
    path = (
        "/srv/.stillhouse/hub/models/stillhouse/clinc150-intents/snapshots/0c0ffee0"
        if outcome == "pass"
        else None
    )
    return RunSummary(
        flow="end_to_end",
        verdict=outcome,
        release=path,
        seconds=498.3,
        stages=tuple(
            StageSummary(
                name=name.split(":")[0],
                state="cached" if i < 2 else "computed",
                seconds=seconds.get(name, 1.0 + i / 3),
                key=fake_digest(f"key of {name}"),
                digest=fake_digest(name),
            )
            for i, name in enumerate(stages)
        ),
        rows=compare(evaluation(5_500), benchmark()),
        shares=evaluation(5_500).shares,
        gate=verdict(outcome),
        record=ReleaseRecord(
            name="stillhouse/clinc150-intents",
            verdict=outcome,
            revision="0c0ffee0" * 5 if path else None,
            path=path,
            registered_name="stillhouse-clinc150-intents",
            registered_version="3",
            aliases=("challenger", "champion") if path else ("challenger",),
            package_digest=fake_digest("package"),
            model_sha256=fake_digest("model"),
        ),
        machine={
            "cpu": "Intel(R) Xeon(R) Processor",
            "cores": "2",
            "memory_gib": "8",
            "python": "3.11.7",
            "torch": "2.13.0",
        },
        mlflow_run_id="f" * 32,
    )


def page_of(folder: Path, outcome: Verdict = "pass", summary: RunSummary | None = None) -> Page:
    """Everything that a page can show, by the stages' own sections of files that are written into `folder`."""
    summary = summary or run_summary(outcome)
    return Page(
        title="An assistant's intents, CLINC150",
        summary=summary,
        headline=run_headline(summary),
        before=(verdict_section(summary), comparison_section(summary.rows, summary.shares)),
        sections=sections(folder, outcome),
        lineage=lineage(),
        config="distill:\n  temperature: 2.0\n  layers: 2\ngate:\n  margin: 0.03\n",
        links={"MLflow run": "http://127.0.0.1:5000/#/experiments/1/runs/" + "f" * 32},
    )


def sections(folder: Path, outcome: Verdict) -> tuple[Section, ...]:
    """Sections of rows, data set, training, evaluation, benchmark and gate."""
    rng = np.random.default_rng(0)
    steps = np.arange(1, 401)
    loss = 3.2 * np.exp(-steps / 90) + 0.18 + rng.normal(0, 0.05, len(steps))
    curves = {
        "loss": list(zip(steps.tolist(), loss.tolist(), strict=True)),
        "validation_accuracy": [(133, 0.915), (266, 0.931), (400, 0.936)],
    }
    record = {"sql": SQL, "dialect": "bigquery", "rows": 16_200, "sources": [{"name": "queries.parquet"}]}
    run = {
        "sql_executed": 'SELECT q.text, CASE WHEN ... END AS label FROM "assistant"."queries" AS q',
        "notes": [],
    }

    def written(stage: str, write: Callable[[Path], object]) -> Path:
        (folder / stage).mkdir(exist_ok=True)
        write(folder / stage)
        return folder / stage

    def write_extract(into: Path) -> None:
        (into / "extract.json").write_text(json.dumps(record))
        (into / "provenance.json").write_text(json.dumps(run))

    def write_evaluation(into: Path) -> None:
        write_report(into, big_evaluation())
        draw_plots(into)

    training = page_section("train_teacher", None, None, curves)
    assert training is not None
    return (
        extract_section(written("extract", write_extract)),
        curation_section(
            written("curate", lambda into: (into / "curation.json").write_text(curation().model_dump_json()))
        ),
        training,
        evaluation_section(written("evaluate", write_evaluation)),
        benchmark_section(written("benchmark", lambda into: write_report(into, benchmark()))),
        gate_section(written("gate", lambda into: write_report(into, verdict(outcome)))),
    )


def curation() -> CurationReport:
    """Steps like those of CLINC150, with an example that holds markup."""
    example = Example(
        row=17, text=f"transfer {MARKUP} please", label="transfer", note="like row 4 (train, transfer)"
    )
    names = {
        "usable": ("rows without a text or a label are dropped", 0),
        "length": ("texts under 2 or over 2,000 characters are dropped", 2),
        "exact_duplicates": ("of texts that are the same but for case and blanks, the first stays", 41),
        "conflicting_labels": ("texts that come with two labels are dropped", 8),
        "near_duplicates": ("of texts with nearly the same words (MinHash), the first stays", 120),
        "leakage": ("training rows that are nearly the same as a test row are dropped", 66),
    }
    steps, rows = [], 16_200
    for name, (reason, gone) in names.items():
        steps.append(
            Step(
                name=name,
                reason=reason,
                rows_in=rows,
                rows_out=rows - gone,
                changed=0,
                dropped={"train": gone},
                examples=(example,) if gone else (),
            )
        )
        rows -= gone
    steps.append(
        Step(
            name="redact",
            reason="secrets and e-mail addresses are replaced by a placeholder",
            rows_in=rows,
            rows_out=rows,
            changed=3,
            dropped={},
            examples=(),
        )
    )
    return CurationReport(
        rows_in=16_200,
        rows_out=rows,
        splits={"train": rows - 8_600, "validation": 3_100, "test": 5_500},
        made_splits=("validation",),
        steps=tuple(steps),
        label_merges=(),
        dropped_labels={},
        warnings=("4 texts come with two labels: look at how they were labelled.",),
    )


def lineage() -> tuple[LineageNode, ...]:
    """The whole chain, its first two stages cached."""
    return tuple(
        LineageNode(
            id=name,
            name=name,
            kind=SOURCES.get(name, "ReportRef"),
            digest=fake_digest(name),
            state="source" if name in SOURCES else "cached" if name in ("extract", "curate") else "computed",
            inputs=inputs,
        )
        for name, inputs in CHAIN.items()
    )


def draw_plots(folder: Path) -> tuple[Path, ...]:
    """Two images, as the evaluate stage would leave them."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rng = np.random.default_rng(1)
    paths = []
    for name, draw in (
        ("reliability", lambda a: a.plot([0, 1], [0, 1])),
        ("confidence", lambda a: a.hist(rng.beta(9, 2, 900))),
    ):
        figure, axes = pyplot.subplots(figsize=(5, 3.4))
        draw(axes)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
        pyplot.close(figure)
    return tuple(paths)
