"""The end of a flow for real: Prefect's server, MLflow's registry, the local Hub, the page and the JSON."""

import re
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tasks.reporting.summary import read_summary
from tests.tasks.reporting.run import ATTRIBUTION, RunConfig, tiny_release

pytestmark = pytest.mark.usefixtures("prefect_server")


def registry(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")


def test_a_pass_is_released_registered_and_reported(tracked_home: Path) -> None:
    record = tiny_release(RunConfig())
    assert record.verdict == "pass" and record.path is not None
    release = Path(record.path)
    assert (release / "onnx" / "model_quantized.onnx").is_file() and (
        release / "plots" / "confidence.png"
    ).is_file()
    assert ATTRIBUTION in (release / "README.md").read_text()
    client = registry(tracked_home)
    champion = client.get_model_version_by_alias("local-tiny", "champion")
    assert champion.version == client.get_model_version_by_alias("local-tiny", "challenger").version
    assert (
        champion.tags["digest"] == record.package_digest and champion.tags["hub_revision"] == record.revision
    )

    summary = read_summary(record)
    assert summary.verdict == "pass" and summary.release == record.path and len(summary.rows) == 7
    assert [stage.name for stage in summary.stages][-1] == "gate"
    page = Path(str(summary.report)).read_text()
    for text in ("SELECT text, label FROM rows", "train_tiny", "predict_tiny: curate_tiny", ATTRIBUTION):
        assert text in page, text
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    stages = ["Rows", "Data set", "Train tiny", "Evaluation", "Package", "Gate"]
    assert titles == ["Verdict", "Comparison", *stages, "Lineage", "Times", "What was asked"]

    again = tiny_release(RunConfig())
    assert (again.revision, again.registered_version) == (record.revision, record.registered_version)
    assert {stage.state for stage in read_summary(again).stages} == {"cached"}


def test_a_fail_is_registered_as_challenger_only(tracked_home: Path) -> None:
    record = tiny_release(RunConfig(lost=60))
    assert record.verdict == "fail" and record.path is None and record.revision is None
    assert not (tracked_home / "hub" / "models").exists()
    model = registry(tracked_home).get_registered_model("local-tiny")
    assert set(model.aliases) == {"challenger"}
    assert read_summary(record).release is None
