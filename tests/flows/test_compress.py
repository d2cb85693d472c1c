"""The search as a flow: students tried, the winner released, a kill survived, a budget that cannot be met."""

import json
from pathlib import Path

import pytest

from flows.configs.compress import CompressFlowConfig
from infra.errors import BudgetError, NotReleased
from infra.settings import get_settings
from tasks.formats.release_record import ReleaseRecord
from tasks.reporting.summary import RunSummary
from tests.flows.conftest import Unbroken
from tests.flows.test_end_to_end import tracking

pytestmark = pytest.mark.slow

SEARCH = {"trials": 3, "layers": (1, 2), "intermediate_size": (16, 32), "vocabulary_size": (140, 160), "epochs": (1, 2),
          "alpha": (0.0, 0.5), "temperature": (1.0, 4.0), "weights": ("int4_embeddings", "int8"), "embedding_rank": (0, 8),
          "first_judged": 1}  # fmt: skip
TIMING = {"rounds": 1, "timed": 10, "warmups": 1}


def asked(unbroken: Unbroken, **changed: object) -> CompressFlowConfig:
    given = unbroken.tiny.config().model_dump()
    return CompressFlowConfig(**{**given, "search": SEARCH, "timing": TIMING, **changed})


@pytest.fixture
def searched_home(copied_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this process, with all that students share in it."""
    monkeypatch.setenv("STILLHOUSE_HOME", str(copied_home))
    get_settings.cache_clear()
    yield copied_home
    get_settings.cache_clear()


def test_the_winner_is_released_and_every_trial_is_tracked(
    unbroken: Unbroken, searched_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.compress import compress

    record = compress(asked(unbroken))
    assert isinstance(record, ReleaseRecord)
    folder = Path(str(record.summary)).parent
    outcome = json.loads((folder / "search.json").read_text())
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    assert outcome["winner"]["number"] in outcome["front"]
    finished = [row for row in rows if row["state"] == "finished"]
    assert outcome["winner"]["measured"]["accuracy"] == max(row["measured"]["accuracy"] for row in finished)
    for picture in ("front.png", "waterfall.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")

    client = tracking(searched_home)
    experiment = client.get_experiment_by_name("stillhouse/compress")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    trials = {run.info.run_name: run for run in runs if run.info.run_name.startswith("trial ")}
    assert sorted(trials) == ["trial 0", "trial 1", "trial 2"]
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs if run.info.run_name == "distill"}
    assert parents & {run.info.run_id for run in trials.values()}
    first_hits = json.loads(trials["trial 0"].data.tags["stillhouse.hits"])
    assert {"distill", "package"} <= {hit["stage"] for hit in first_hits}
    assert all(run.data.metrics.keys() == {"accuracy", "size_mb", "latency_ms"} for run in trials.values())

    # Again: nothing is tried, nothing computed, the same released.
    capfd.readouterr()
    again = compress(asked(unbroken))
    assert again.package_digest == record.package_digest
    printed = capfd.readouterr().err
    assert "running" not in printed
    assert "trial 0 {" not in printed


@pytest.mark.whole_runs
def test_a_bag_wins_when_only_it_is_small_enough(unbroken: Unbroken, searched_home: Path) -> None:
    from flows.compress import compress

    given = unbroken.tiny.config().model_dump()
    student = {**given["distill"], "layers": 0}
    changed = {"distill": student, "bag": {"dimensions": 16, "pairs": 50}}
    loose = {"parity": {"int8_agreement": 0.5}}  # so little training leaves it undecided
    config = asked(unbroken, search={**SEARCH, "trials": 1, "layers": (0,)}, compress=loose, **changed)
    try:
        record = compress(config)
    except NotReleased as ended:  # the gate's word is another test's
        record = ended.result
    assert isinstance(record, ReleaseRecord)
    summary = RunSummary.model_validate_json(Path(str(record.summary)).read_bytes())
    assert "distill_bag" in {stage.name for stage in summary.stages}
    assert "distill" not in {stage.name for stage in summary.stages}


def test_a_budget_that_cannot_be_met_names_the_constraint(unbroken: Unbroken, searched_home: Path) -> None:
    from flows.compress import compress

    search = {**SEARCH, "trials": 1}
    with pytest.raises(BudgetError, match=r"latency_ms 0\.0001 cannot be kept"):
        compress(asked(unbroken, search=search, budget={"latency_ms": 1e-4}))


@pytest.mark.whole_runs
def test_a_search_that_breaks_off_repeats_no_finished_trial(
    unbroken: Unbroken, searched_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.compress import compress

    compress(asked(unbroken, search={**SEARCH, "trials": 1}))
    capfd.readouterr()
    compress(asked(unbroken, search={**SEARCH, "trials": 2}))
    printed = capfd.readouterr().err
    assert "trial 0 {" not in printed
    assert "trial 1 {" in printed
