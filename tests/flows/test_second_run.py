"""The same again, and with a little changed: what is cached, what is computed, and what is said of it."""

import base64
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from flows.end_to_end import EXIT_CODES, end_to_end
from infra.settings import get_settings
from tasks.formats.release_record import ReleaseRecord
from tests.benchmarks.tracking_rows import look
from tests.flows.conftest import Unbroken
from tests.flows.running import Running, run, start
from tests.flows.test_end_to_end import STAGES, children_of, stage_of, tracking
from tests.flows.tiny import FAIL, NEEDS_MORE_ROWS

pytestmark = pytest.mark.slow


def states(running: Running) -> Counter[tuple[str, str]]:
    """How often each stage was computed and cached."""
    return Counter((line.state, line.stage) for line in running.lines if line.state != "running")


def computed(running: Running) -> list[str]:
    return [line.stage for line in running.lines if line.state == "computed"]


def artifact_file(home: Path, stage: str, name: str) -> Path:
    (found,) = home.glob(f"artifacts/{stage}/*/{name}")
    return found


def test_python_gives_the_same_release_and_everything_is_cached(
    unbroken: Unbroken, copied_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(copied_home))
    get_settings.cache_clear()
    record = end_to_end(unbroken.tiny.config())
    get_settings.cache_clear()
    assert isinstance(record, ReleaseRecord)
    first = unbroken.summary.record
    assert first is not None
    # The folder is that of another home; names, digests, revision and registered version are the same.
    moved = {"summary": record.summary, "path": str(first.path).replace(str(unbroken.home), str(copied_home))}
    assert record == first.model_copy(update=moved)
    printed = capfd.readouterr()
    assert "20 of 20 stages cached" in printed.out
    assert "running" not in printed.err


def test_a_cached_run_shows_its_headline_in_mlflow_and_where_the_metrics_of_its_stages_are(
    unbroken: Unbroken, copied_home: Path, tmp_path: Path
) -> None:
    from tasks.reporting.summary import RunSummary

    before = look(copied_home)
    code, printed = run(copied_home, [*unbroken.tiny.arguments(), "--report", str(tmp_path / "report.json")])
    assert code == 0, printed
    second = RunSummary.model_validate_json((tmp_path / "report.json").read_bytes())
    assert {stage.state for stage in second.stages} == {"cached"}
    assert [stage.digest for stage in second.stages] == [stage.digest for stage in unbroken.summary.stages]
    added = look(copied_home).since(before)
    assert added.rows["mlflow.runs"] == 1
    assert added.rows["mlflow.metrics"] <= 70
    assert added.rows["mlflow.params"] <= 60
    assert added.rows["mlflow.tags"] <= 40

    client = tracking(copied_home)
    parent, first = (client.get_run(str(s.mlflow_run_id)) for s in (second, unbroken.summary))
    assert parent.data.metrics == first.data.metrics
    assert parent.data.metrics["released_size_ratio"] > 0
    assert parent.data.tags["stillhouse.verdict"] == "pass"
    children = {r.info.run_id: r for r in children_of(unbroken.home, unbroken.summary.mlflow_run_id)}
    hits = json.loads(parent.data.tags["stillhouse.hits"])
    assert [hit["stage"] for hit in hits] == STAGES
    for hit, stage in zip(hits, second.stages, strict=True):
        source = children[hit["run"]]
        assert stage_of(source) == hit["stage"] and stage.key.startswith(hit["key"])
        assert client.get_run(hit["run"]).data.metrics == source.data.metrics


def test_the_page_of_a_cached_run_shows_the_pictures_without_holding_them(
    unbroken: Unbroken, copied_home: Path, tmp_path: Path
) -> None:
    code, printed = run(copied_home, [*unbroken.tiny.arguments(), "--report", str(tmp_path / "report.json")])
    assert code == 0, printed
    page = Path(json.loads((tmp_path / "report.json").read_text())["report"])
    first = Path(str(unbroken.summary.report)).read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert "data:image/png" in first and "data:image/png" not in text
    shown = [
        (page.parent / unquote(address)).resolve() for address in re.findall(r'<img src="([^"]+)"', text)
    ]
    embedded = re.findall(r'<img src="data:image/png;base64,([^"]+)"', first)
    assert [base64.b64encode(path.read_bytes()).decode() for path in shown] == embedded
    assert all(path.is_relative_to(copied_home / "artifacts") for path in shown)
    assert page.stat().st_size + page.with_name("summary.json").stat().st_size < 100_000


def test_a_dry_run_hits_what_is_above_a_changed_field_and_names_it(unbroken: Unbroken) -> None:
    code, printed = run(unbroken.home, [*unbroken.tiny.arguments(distill__temperature=5), "--dry-run"])
    assert code == 0
    lines = [line.split(maxsplit=2) for line in printed.splitlines() if line.startswith(("hit", "miss"))]
    lines = [[state, name.rstrip(":"), *rest] for state, name, *rest in lines]  # `predict: teacher`
    assert [name for _, name, *_ in lines] == STAGES
    above = {"extract", "curate", "train_teacher", "build_tokenizer", "teacher_outputs", "fit_baseline"}
    hits = Counter(name for state, name, *_ in lines if state == "hit")
    assert hits == Counter([*above, "predict", "predict"])  # of TF-IDF and of the teacher
    (why,) = [rest for _, name, rest in (line for line in lines if line[0] == "miss") if name == "distill"]
    assert "temperature: 2.0 -> 5.0" in why


def test_a_dry_run_on_a_bare_home_plans_every_stage_and_writes_nothing(
    unbroken: Unbroken, tmp_path: Path
) -> None:
    code, printed = run(tmp_path / "bare", [*unbroken.tiny.arguments(), "--dry-run"])
    assert code == 0
    planned = [line.split()[1].rstrip(":") for line in printed.splitlines() if line.startswith("miss")]
    assert planned == STAGES
    assert not (tmp_path / "bare" / "artifacts").exists()


def test_a_changed_byte_and_a_deleted_folder_are_said_and_computed_again(
    unbroken: Unbroken, copied_home: Path
) -> None:
    changed = artifact_file(copied_home, "distill", "model.safetensors")
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    (dataset,) = (copied_home / "artifacts" / "fit_baseline").iterdir()
    shutil.rmtree(dataset)
    running = start(copied_home, unbroken.tiny.arguments())
    assert running.wait() == 0, running.printed
    assert computed(running) == ["fit_baseline", "distill"]
    assert f"{changed} does not have the bytes of its record: distill is computed again" in running.printed
    # What was made from them is served still: the same bytes came out again.
    assert [line.digest for line in running.lines if line.state != "running"] == [
        stage.digest[:12] for stage in unbroken.summary.stages]  # fmt: skip


def test_a_truncated_checkpoint_in_the_store_is_computed_again(unbroken: Unbroken, copied_home: Path) -> None:
    weights = artifact_file(copied_home, "train_teacher", "model.safetensors")
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.truncate(size // 2)
    running = start(copied_home, unbroken.tiny.arguments())
    assert running.wait() == 0, running.printed
    assert computed(running) == ["train_teacher"]
    assert f"{weights} has {size // 2} bytes, its record says {size}" in running.printed


@pytest.mark.parametrize(("margin", "verdict", "title"), [
    (FAIL, "fail", "FAIL: not released"), (NEEDS_MORE_ROWS, "needs_more_rows", "NEEDS MORE ROWS: not released"),
])  # fmt: skip
def test_a_model_that_does_not_pass_is_a_result_with_an_exit_code_of_its_own(
    unbroken: Unbroken, copied_home: Path, margin: float, verdict: str, title: str
) -> None:
    shutil.rmtree(copied_home / "hub" / "models")
    running = start(copied_home, unbroken.tiny.arguments(gate__margin=margin))
    assert running.wait() == EXIT_CODES[verdict], running.printed
    assert computed(running) == ["gate"]
    assert title in running.printed
    assert not (copied_home / "hub" / "models").exists()


def test_a_tracking_server_that_is_down_is_said_and_the_release_is_made(
    unbroken: Unbroken, copied_home: Path
) -> None:
    for name in ("hub", "artifacts/package"):
        shutil.rmtree(copied_home / name)
    down = {"STILLHOUSE_MLFLOW_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    running = start(copied_home, unbroken.tiny.arguments(), **down)
    assert running.wait() == 0, running.printed
    assert computed(running) == ["package"]
    assert running.printed.count("The run goes on without tracking") == 1
    assert (copied_home / "hub" / "models" / "local" / "tiny-classifier" / "main" / "README.md").exists()
