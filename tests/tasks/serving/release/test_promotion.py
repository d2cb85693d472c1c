"""Champions for real: releases, rollbacks and reruns with Prefect's server, MLflow's registry and the local Hub."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.cli.command import main
from infra.settings import get_settings
from tasks.evaluation.gate.config import GateConfig
from tasks.formats.release_record import ReleaseRecord
from tasks.reporting.summary import read_summary
from tasks.serving.release.config import ReleaseConfig
from tests.tasks.reporting.run import RunConfig, tiny_release

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
NAME, REGISTERED = "local/tiny", "local-tiny"


def release(model: str, **changed: object) -> ReleaseRecord:
    return tiny_release(RunConfig(model=model, **changed))


def again(model: str) -> ReleaseRecord:
    return release(model, release=ReleaseConfig(name=NAME, promote_again=True))


def tracking(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"


def champion(home: Path) -> tuple[str, str]:
    """Revision that is `main`, and digest of the package that MLflow's registry calls champion."""
    digest = MlflowClient(tracking(home)).get_model_version_by_alias(REGISTERED, "champion").tags["digest"]
    return (home / "hub/models/local/tiny/refs/main").read_text(), digest


def of(record: ReleaseRecord) -> tuple[str | None, str]:
    return record.revision, record.package_digest


def history(home: Path) -> list[tuple[str, str]]:
    """Action and revision of each line."""
    lines = (home / "hub/models/local/tiny/promotions.jsonl").read_text().splitlines()
    return [(line["action"], line["to"]["revision"]) for line in map(json.loads, lines)]


def test_a_rollback_holds_until_the_model_is_asked_for_again(
    tracked_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = release("one"), release("second")
    assert one.package_digest != two.package_digest
    assert champion(tracked_home) == of(two)

    capsys.readouterr()
    assert main(["models", "rollback", NAME, "--reason", "it confuses transfers"]) == 0
    said = capsys.readouterr().out
    assert (
        f"{str(two.revision)[:12]} -> {str(one.revision)[:12]}" in said
        and "MLflow: local-tiny version 1" in said
    )
    assert champion(tracked_home) == of(one)
    assert (tracked_home / "hub/models/local/tiny/main/onnx/model_quantized.onnx").is_file()

    rerun = release("second")  # every stage is a hit
    assert {stage.state for stage in read_summary(rerun).stages} == {"cached"}
    assert rerun.verdict == "pass" and (rerun.path, rerun.revision) == (None, None)
    assert rerun.aliases == ("challenger",) and "it confuses transfers" in str(rerun.note)
    shown = capsys.readouterr().out
    assert "PASS: not released again" in shown and "--release.promote-again true" in shown
    page = Path(str(read_summary(rerun).report)).read_text()
    assert "Pass: not released again" in page and "it confuses transfers" in page
    assert champion(tracked_home) == of(one)

    assert history(tracked_home) == [
        ("promote", one.revision), ("promote", two.revision), ("rollback", one.revision)]  # fmt: skip

    assert of(again("second")) == of(two) and champion(tracked_home) == of(two)
    assert history(tracked_home)[-1] == ("promote", two.revision)

    capsys.readouterr()
    assert main(["models", "history", NAME]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in told[:4]] == ["promote", "promote", "rollback", "promote"]
    assert "asked for again after the rollback of" in told[3] and str(two.revision) in told[-1]


def test_a_gate_never_demotes_and_a_new_card_is_no_new_champion(
    tracked_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = release("one")
    failed = release("one", gate=GateConfig(margin=0.001))
    assert failed.package_digest == one.package_digest and failed.verdict != "pass" and failed.path is None
    assert champion(tracked_home) == of(one) and len(history(tracked_home)) == 1
    assert "This model is the champion" in str(failed.note) and f"rollback {NAME}" in str(failed.note)
    tags = MlflowClient(tracking(tracked_home)).get_model_version_by_alias(REGISTERED, "champion").tags
    assert (tags["verdict"], tags["hub_revision"]) == (failed.verdict, one.revision)

    titled = release("one", release=ReleaseConfig(name=NAME, title="Another title"))
    assert titled.package_digest == one.package_digest and titled.revision != one.revision
    assert champion(tracked_home) == of(titled)
    assert main(["models", "rollback", NAME]) == 2
    assert "no champion to go back to" in capsys.readouterr().err


def test_a_rollback_while_mlflow_is_down_is_said_and_the_next_run_mends_its_alias(
    tracked_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = release("one"), release("second")
    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    get_settings.cache_clear()
    assert main(["models", "rollback", NAME]) == 0
    assert "the next run of its flow sets that right" in capsys.readouterr().out
    assert champion(tracked_home) == (one.revision, two.package_digest)

    monkeypatch.delenv("STILLHOUSE_MLFLOW_URI")
    get_settings.cache_clear()
    assert release("second").note is not None
    assert champion(tracked_home) == of(one)
