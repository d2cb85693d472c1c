"""The cache as a user meets it: real flows on Prefect's real server, a real store, a real SQLite MLflow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.engine.run import RunOptions, run_options
from infra.errors import ConfigError, StoreError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tests.infra.chain import COMPUTED, ChainConfig, ChainResult, chain, plan, repeat, spell, word_file

pytestmark = pytest.mark.usefixtures("prefect_server", "tracked_home")


@pytest.fixture(autouse=True)
def _nothing_computed() -> None:
    COMPUTED.clear()


def states(result: ChainResult) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in result.outcomes}


def test_a_second_run_computes_nothing_and_gives_the_same_reference() -> None:
    first, second = chain(ChainConfig()), chain(ChainConfig())
    assert states(first) == {"spell": "computed", "repeat": "computed"}
    assert states(second) == {"spell": "cached", "repeat": "cached"}
    assert COMPUTED == ["spell", "repeat"]
    assert first.words == second.words


def test_a_changed_field_recomputes_what_follows_and_only_that() -> None:
    chain(ChainConfig())
    changed = chain(ChainConfig(times=3))
    assert states(changed) == {"spell": "computed", "repeat": "computed"}
    assert changed.outcomes[0].digest == chain(ChainConfig()).outcomes[0].digest


def test_an_ignored_field_recomputes_nothing() -> None:
    chain(ChainConfig())
    assert set(states(chain(ChainConfig(pause=0.001))).values()) == {"cached"}


def test_prefect_shows_a_hit_as_cached() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        TaskRunFilter,
        TaskRunFilterName,
    )

    chain(ChainConfig(word="seen"))
    state = chain(ChainConfig(word="seen"), return_state=True)
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id])),
            task_run_filter=TaskRunFilter(name=TaskRunFilterName(any_=["spell", "repeat"])),
        )
    assert {(run.name, run.state_name) for run in runs} == {("spell", "Cached"), ("repeat", "Cached")}


def test_a_changed_byte_is_found_said_and_recomputed(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chain(ChainConfig())
    word_file(home).write_text("oneonX")
    again = chain(ChainConfig())
    assert states(again) == {"spell": "cached", "repeat": "computed"}
    assert "does not have the bytes of its record" in " ".join(capfd.readouterr().err.split())
    assert word_file(home).read_text() == "oneone"


def test_a_byte_changed_under_an_old_mtime_is_found_by_full_verification(home: Path) -> None:
    import os

    chain(ChainConfig())
    path = word_file(home)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text("oneonX")
    os.utime(path, ns=times)
    assert states(chain(ChainConfig()))["repeat"] == "cached"
    with run_options(RunOptions(full_verify=True)):
        assert states(chain(ChainConfig()))["repeat"] == "computed"


def test_a_deleted_artifact_is_recomputed_though_prefect_remembers_it(home: Path) -> None:
    chain(ChainConfig())
    shutil.rmtree(word_file(home).parent)
    assert states(chain(ChainConfig())) == {"spell": "cached", "repeat": "computed"}


def test_a_home_copied_elsewhere_keeps_its_hits(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(ChainConfig())
    shutil.copytree(home, tmp_path / "moved")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "moved"))
    get_settings.cache_clear()
    assert set(states(chain(ChainConfig())).values()) == {"cached"}


def test_a_failed_stage_leaves_the_store_as_it_was(home: Path) -> None:
    with pytest.raises(ValueError, match="the stage failed"):
        chain(ChainConfig(fail_in="repeat"))
    assert [record.stage for record in Store(get_settings()).records()] == ["spell"]
    assert list((home / "artifacts" / "repeat").iterdir()) == []
    assert states(chain(ChainConfig())) == {"spell": "cached", "repeat": "computed"}


def run_apart(config: ChainConfig, home: Path) -> subprocess.Popen[str]:
    import os

    return subprocess.Popen(
        [sys.executable, "-m", "tests.infra.chain", config.model_dump_json()],
        env={**os.environ, "STILLHOUSE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_run_repeats_only_its_stage_and_finds_its_checkpoint(home: Path) -> None:
    process = run_apart(ChainConfig(die_in="repeat"), home)
    process.communicate(timeout=400)
    assert process.returncode == 9
    again = chain(ChainConfig())
    assert states(again) == {"spell": "cached", "repeat": "computed"}
    record = Store(get_settings()).record_of(again.words) if again.words else None
    assert record is not None
    assert record.metrics == {"resumed": 1.0}
    assert set(record.files) == {"words.txt"}


@pytest.mark.slow
def test_of_two_runs_at_once_one_computes_and_both_get_the_same(home: Path) -> None:
    processes = [run_apart(ChainConfig(pause=1.5), home) for _ in range(2)]
    results = [ChainResult.model_validate_json(process.communicate(timeout=400)[0]) for process in processes]
    assert results[0].words == results[1].words
    for name in ("spell", "repeat"):
        assert sorted(states(result)[name] for result in results) == ["cached", "computed"]


def test_a_cached_run_is_one_run_in_mlflow_that_names_the_runs_of_its_hits() -> None:
    chain(ChainConfig(word="two"))
    second = chain(ChainConfig(word="two"))
    client = MlflowClient(f"sqlite:///{get_settings().mlflow_database}")
    experiment = client.get_experiment_by_name("stillhouse/chain")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id])
    assert [r for r in every if r.data.tags.get("mlflow.parentRunId") == second.mlflow_run_id] == []
    parent = client.get_run(str(second.mlflow_run_id))
    assert parent.data.params == {"word": "two"}
    hits = json.loads(parent.data.tags["stillhouse.hits"])
    assert [(hit["stage"], hit["key"]) for hit in hits] == [
        (outcome.name, outcome.key[:12]) for outcome in second.outcomes]  # fmt: skip
    sources = [client.get_run(hit["run"]) for hit in hits]
    assert [run.info.status for run in sources] == ["FINISHED", "FINISHED"]
    assert [run.data.metrics for run in sources] == [{"letters": 3.0}, {"resumed": 0.0, "loss": 0.5}]


def test_the_whole_config_of_a_run_is_a_file_of_it(tmp_path: Path) -> None:
    config = ChainConfig(word="kept", pause=0.001)
    run = chain(config).mlflow_run_id
    client = MlflowClient(f"sqlite:///{get_settings().mlflow_database}")
    file = Path(client.download_artifacts(str(run), "config.json", str(tmp_path)))
    assert ChainConfig.model_validate_json(file.read_text()) == config


def test_a_tracking_server_that_is_down_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, home: Path
) -> None:
    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    get_settings.cache_clear()
    result = chain(ChainConfig())
    assert states(result) == {"spell": "computed", "repeat": "computed"}
    assert sum("goes on without tracking" in message for message in caplog.messages) == 1
    rows = [json.loads(line) for line in (word_file(home).parent / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0.5}]


def test_a_dry_run_says_hit_or_miss_and_names_the_field() -> None:
    chain(ChainConfig())
    assert [(line.name, line.state) for line in plan(ChainConfig())] == [
        ("spell", "hit"), ("repeat", "hit"), ("publish", "action")]  # fmt: skip
    changed = {line.name: line for line in plan(ChainConfig(word="two"))}
    assert changed["spell"].state == "miss"
    assert "word: one -> two" in changed["spell"].why
    assert "input source depends on spell" in changed["repeat"].why


def test_a_dry_run_on_a_bare_machine_computes_and_writes_nothing(home: Path) -> None:
    assert [line.why for line in plan(ChainConfig()) if line.state == "miss"] == ["never computed here"] * 2
    assert COMPUTED == []
    assert not (home / "artifacts").exists()


def test_a_home_that_is_a_file_is_an_error_with_the_remedy(home: Path) -> None:
    home.parent.joinpath("blocked").write_text("")
    from infra.machine.environment import open_home
    from infra.settings import Settings

    if Path("/proc/1").stat().st_uid == 0:
        readonly = Path("/proc/stillhouse")  # not even root can make folders here
        with pytest.raises((StoreError, OSError)):
            open_home(Settings(home=readonly))


def test_a_stage_outside_of_a_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="outside of a flow run"):
        spell(ChainConfig())


def test_inputs_that_a_stage_does_not_take_are_refused() -> None:
    from infra.engine.run import open_run
    from tasks.formats.kinds import DatasetRef

    with open_run("x", ChainConfig()), pytest.raises(ConfigError, match=r"repeat takes \['source'\]"):
        repeat(ChainConfig(), other=DatasetRef(uri="artifact:x/y", digest="d"))  # type: ignore[call-arg]
