"""The whole flow, once, on tiny real input: what it returns, writes, publishes, registers and shows."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard, ModelCard
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from infra.engine.sections import declared
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.record import Record
from tasks.baselines.stages import fit_baseline
from tasks.compression.distillation.stages import distill
from tasks.compression.export.stages import check_parity, export_onnx
from tasks.compression.quantization.stages import quantize
from tasks.data.curation.stages import curate
from tasks.data.extraction.stages import extract
from tasks.evaluation.gate.stages import gate
from tasks.evaluation.latency.stages import benchmark
from tasks.evaluation.stages import evaluate
from tasks.formats.dataset import load_info, load_split
from tasks.serving.release.stages import package
from tasks.tokenizers.stages import build_tokenizer
from tasks.training.fine_tuning.stages import train_teacher
from tests.conftest import ROOT
from tests.flows.conftest import Unbroken
from tests.flows.tiny import LABELS, ROWS
from tests.pages import python_blocks
from tests.tasks.sections import shown

pytestmark = pytest.mark.slow

STAGES = ["extract", "curate", "train_teacher", "teacher_outputs", "fit_baseline", "build_tokenizer", "distill", "export_onnx",
          "quantize", "package", "check_parity", *["predict"] * 6, "evaluate", "benchmark", "gate"]  # fmt: skip
PREDICTED = ("tfidf", "teacher", "student", "onnx", "onnx_int8", "released")
MODELS = ["tfidf", "yardstick", "teacher", "student", "onnx", "onnx_int8", "released"]


def record_of(unbroken: Unbroken, stage: str, **inputs: str) -> tuple[Record, Path]:
    """Record and folder of the newest artifact of a stage whose inputs come from these stages."""
    store = Store(Settings(home=unbroken.home))
    for record in store.records(stage):
        if all(record.inputs[name].uri.startswith(f"artifact:{source}/") for name, source in inputs.items()):
            return record, store.folder(stage, record.key)
    raise LookupError(f"no {stage} of {inputs} in {unbroken.home}")


def tracking(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")


def children_of(home: Path, parent: str | None) -> list[Run]:
    client = tracking(home)
    experiment = client.get_experiment_by_name("stillhouse/end_to_end")
    assert experiment is not None
    return client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")


def stage_of(run: Run) -> str:
    """The stage of a child, whose name says what it was called on too."""
    return str(run.info.run_name).partition(":")[0]


def test_every_stage_is_computed_in_the_order_of_the_flow(unbroken: Unbroken) -> None:
    assert [stage.name for stage in unbroken.summary.stages] == STAGES
    assert {stage.state for stage in unbroken.summary.stages} == {"computed"}
    for stage in STAGES:
        assert re.search(rf"^  computed {stage}(: \w+)? +[\d.]+ s", unbroken.printed, re.MULTILINE), stage
    for model in PREDICTED:
        assert f"  computed predict: {model} " in unbroken.printed


def test_the_report_as_json_keeps_to_its_schema_and_names_every_model(unbroken: Unbroken) -> None:
    report = json.loads((unbroken.home.parent / "report.json").read_text())
    jsonschema.validate(report, json.loads((ROOT / "docs" / "report.schema.json").read_text()))
    assert [row["name"] for row in report["rows"]] == MODELS
    assert report["verdict"] == "pass"
    assert unbroken.exit_code == 0


def test_the_table_and_the_release_are_printed(unbroken: Unbroken) -> None:
    for word in (*MODELS, "PASS: released", str(unbroken.summary.release), str(unbroken.summary.report)):
        assert word in unbroken.printed


def test_the_models_learned_what_they_were_shown(unbroken: Unbroken) -> None:
    accuracy = {row.name: row.accuracy for row in unbroken.summary.rows}
    assert accuracy["teacher"] > 0.95
    assert accuracy["tfidf"] > 0.95
    assert accuracy["yardstick"] is None
    assert 0.6 < accuracy["student"] < 0.95  # it does not know the rare words
    assert accuracy["released"] == accuracy["onnx_int8"]


def test_the_html_report_is_one_page_that_shows_every_stage(unbroken: Unbroken) -> None:
    page = Path(str(unbroken.summary.report)).read_text(encoding="utf-8")
    for stage in set(STAGES):
        assert stage in page
    assert not re.search(r"""(src|href)=["'](https?:|//|file:)""", page)


def test_every_section_is_made_of_the_files_that_its_stage_names(unbroken: Unbroken, tmp_path: Path) -> None:
    titles = set()
    for stage in (extract, curate, train_teacher, fit_baseline, build_tokenizer, distill, export_onnx, quantize, package,
                  check_parity, evaluate, benchmark, gate):  # fmt: skip
        record, folder = record_of(unbroken, stage.name)
        read = declared(stage.name).names(record.files)  # type: ignore[union-attr]
        assert sum(record.files[name].size for name in read) < 2e6, (
            "reports and pictures, never weights or rows"
        )
        titles.add(shown(stage, folder, tmp_path / stage.name).title)
    page = Path(str(unbroken.summary.report)).read_text(encoding="utf-8")
    assert titles <= set(re.findall("<h2>(.*?)</h2>", page)) and len(titles) == 13


def test_the_data_set_is_on_the_hub_with_a_card_that_is_read_by_it(
    unbroken: Unbroken, tmp_path: Path
) -> None:
    folder = unbroken.home / "hub" / "datasets" / "local" / "tiny-requests" / "main"
    assert sorted(path.name for path in folder.glob("data/*")) == [
        f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")]  # fmt: skip
    card = DatasetCard.load(folder / "README.md")
    assert card.data.task_categories == ["text-classification"]
    assert card.data.size_categories == ["n<1K"]
    splits = load_dataset(str(folder), cache_dir=str(tmp_path))
    assert splits["train"].features["label"].names == LABELS
    assert sum(split.num_rows for split in splits.values()) <= ROWS
    assert {name: split.num_rows for name, split in splits.items()} == {
        split["name"]: split["num_examples"] for split in card.data.to_dict()["dataset_info"]["splits"]}  # fmt: skip


def test_the_release_is_on_the_hub_with_a_card_that_is_read_by_it(unbroken: Unbroken) -> None:
    folder = unbroken.home / "hub" / "models" / "local" / "tiny-classifier" / "main"
    assert folder.resolve() == Path(str(unbroken.summary.release))
    card = ModelCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "text-classification"
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    released = unbroken.summary.rows[-1]
    assert results["accuracy"] == pytest.approx(released.accuracy, abs=1e-4)
    _, package = record_of(unbroken, "package")
    for name in ("onnx/model_quantized.onnx", "config.json", "tokenizer.json"):
        assert (folder / name).read_bytes() == (package / name).read_bytes()


def test_nothing_that_is_published_names_a_place_on_this_machine(unbroken: Unbroken) -> None:
    for path in (unbroken.home / "hub").glob("*/local/*/snapshots/**/*"):
        if path.is_file():
            assert str(unbroken.home.parent).encode() not in path.read_bytes(), path


def test_the_release_is_registered_as_challenger_and_champion(unbroken: Unbroken) -> None:
    client, record = tracking(unbroken.home), unbroken.summary.record
    assert record is not None
    for alias in ("challenger", "champion"):
        version = client.get_model_version_by_alias("local-tiny-classifier", alias)
        assert str(version.version) == record.registered_version
        assert version.tags["digest"] == record.package_digest


def test_mlflow_has_a_parent_with_a_child_for_every_stage(unbroken: Unbroken) -> None:
    parent = unbroken.summary.mlflow_run_id
    children = children_of(unbroken.home, parent)
    stages = [run for run in children if run.info.run_name != "register"]
    assert sorted(stage_of(run) for run in stages) == sorted(STAGES)
    assert {run.info.status for run in stages} == {"FINISHED"}
    by_name = {run.info.run_name: run for run in children}
    assert by_name["distill"].data.params["temperature"] == "2.0"
    assert "train_loss" in by_name["distill"].data.metrics
    assert by_name["gate"].data.metrics["passed"] == 1.0
    client = tracking(unbroken.home)
    assert client.get_run(str(parent)).data.metrics["released_accuracy"] > 0.6
    assert "stillhouse.hits" not in client.get_run(str(parent)).data.tags
    pictures = [item.path for item in client.list_artifacts(by_name["evaluate"].info.run_id, "plots")]
    assert "plots/reliability.png" in pictures
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.git.commit"} <= by_name[
        "register"
    ].data.tags.keys()


def test_the_documented_lines_use_a_release_without_this_project(unbroken: Unbroken) -> None:
    """docs/use-a-release.md as it stands, for each test text in turn, by an interpreter that sees no file of ours.

    One at a time, as the flow predicts: the activations of a batch share one int8 scale, so its texts touch each other.
    """
    _, predictions = record_of(unbroken, "predict", model="package")
    _, dataset = record_of(unbroken, "curate")
    code = python_blocks(Path("docs") / "use-a-release.md")[0]
    lines = re.sub(r'\["What is[^\]]*\]', "[text]", code)
    texts = load_split(dataset, "test").texts
    script = f"for text in {texts!r}:\n{textwrap.indent(lines, '    ')}"
    script += "import sys\nprint({'torch', 'transformers', 'infra', 'tasks'} & set(sys.modules))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=str(unbroken.summary.release),
        capture_output=True,
        text=True,
        check=True,
    )
    *answers, imported = done.stdout.splitlines()
    labels = load_info(dataset).labels
    recorded = np.load(predictions / "test_logits.npy").argmax(axis=1)
    assert answers == [str([labels[best]]) for best in recorded]
    assert imported == "set()"
