"""A name stands for one function, and an artifact for one kind: nobody is served what another stage made."""

import json
from pathlib import Path

import pytest

from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError
from tasks.formats.kinds import CheckpointRef
from tests.infra.chain import ChainConfig, ChainResult, chain, plan, repeat

pytestmark = pytest.mark.slow  # flows with a server and MLflow each


def states(result: ChainResult) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in result.outcomes}


def record_file(home: Path) -> Path:
    (found,) = home.glob("artifacts/repeat/*/record.json")
    return found


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_second_stage_of_one_name_is_refused_with_both_places() -> None:
    def repeat(run: StageRun, config: ChainConfig) -> Metrics:
        """Another stage that happens to have the name of the chain's."""
        return {}

    with pytest.raises(ConfigError, match=r"tests\.infra\.chain\.repeat.*test_a_second_stage.*Rename one"):
        stage(version=1, output=CheckpointRef)(repeat)


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_an_artifact_of_another_kind_is_not_served(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chain(ChainConfig())
    change(record_file(home), kind="CheckpointRef")
    assert states(chain(ChainConfig())) == {"spell": "cached", "repeat": "computed"}
    assert "expected a DatasetRef" in " ".join(capfd.readouterr().err.split())
    assert states(chain(ChainConfig())) == {"spell": "cached", "repeat": "cached"}
    assert repeat.name == "repeat"


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_dry_run_says_when_other_library_versions_made_a_hit(home: Path) -> None:
    chain(ChainConfig())
    libraries = json.loads(record_file(home).read_text())["libraries"]
    change(record_file(home), libraries=libraries | {"torch": "1.0", "prefect": "1.0"})
    lines = {line.name: line for line in plan(ChainConfig())}
    assert (lines["repeat"].state, lines["spell"].why) == ("hit", "")
    assert f"torch 1.0 (installed: {libraries['torch']})" in lines["repeat"].why
    assert "prefect" not in lines["repeat"].why
