"""Two runs at once in one home: each stage is computed by one of them, and both end with the same."""

from pathlib import Path

import pytest

from infra.settings import Settings
from infra.store.artifacts import Store
from tasks.reporting.summary import RunSummary
from tests.flows.conftest import Unbroken
from tests.flows.running import new_home, start
from tests.flows.test_end_to_end import STAGES, tracking

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]


def test_two_runs_at_once_compute_each_stage_once_and_release_the_same(
    unbroken: Unbroken, tmp_path: Path, tracking_database: Path
) -> None:
    # The slowest stage is given, which changes nothing: a stage is one lock, whatever is inside.
    home = new_home(tmp_path / "home", tracking_database, unbroken.home, ["benchmark"])
    reports = [tmp_path / "first.json", tmp_path / "second.json"]
    runs = [start(home, [*unbroken.tiny.arguments(), "--report", str(report)]) for report in reports]
    assert [running.wait() for running in runs] == [0, 0], runs[0].printed + runs[1].printed
    first, second = (RunSummary.model_validate_json(report.read_bytes()) for report in reports)

    assert [stage.name for stage in first.stages] == [stage.name for stage in second.stages] == STAGES
    assert [stage.digest for stage in first.stages] == [stage.digest for stage in second.stages]
    for one, other in zip(first.stages, second.stages, strict=True):
        expected = ["cached", "cached"] if one.name == "benchmark" else ["cached", "computed"]
        assert sorted([one.state, other.state]) == expected, one.name
    assert any("another run computes it; waiting" in running.printed for running in runs)

    assert first.record is not None and second.record is not None
    assert first.record == second.record.model_copy(update={"summary": first.record.summary})
    assert len(tracking(home).search_model_versions("name = 'local-tiny-classifier'")) == 1
    assert len(list(Store(Settings(home=home)).records())) == len(STAGES)
    assert unbroken.summary.record is not None
    assert first.record.package_digest == unbroken.summary.record.package_digest
