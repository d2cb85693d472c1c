"""Several stages at once: by threads and by processes, their outcomes, edges, failures, and who waits for whom."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from infra.engine.fan_out import fan_out
from infra.engine.run import FlowRun, RunOptions, open_run, run_options
from infra.engine.stage import flat_inputs
from infra.errors import ConfigError, DataError, SeveralFailed
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.formats.kinds import DatasetRef, ReportRef
from tests.infra.engine.stages import LearnConfig, WordsConfig, join_words, learn_words, write_words

RUNNERS = [
    ThreadPoolTaskRunner(max_workers=4),
    pytest.param(ProcessPoolTaskRunner(max_workers=2), marks=pytest.mark.slow),
]
STEPS = {"a": 1, "b": 2, "c": 3}


@pytest.fixture(autouse=True)
def ready(tracked_home: Path, prefect_server: None) -> Iterator[None]:
    """A home of its own, and Prefect's real server."""
    yield


def each_learns(run: FlowRun, meets: dict[str, str] | None = None) -> ReportRef:
    words = write_words(WordsConfig())
    with fan_out() as several:
        parts = {
            name: several.call(
                learn_words.labelled(name),
                LearnConfig(steps=steps, meets=(meets or {}).get(name, "nothing")),
                words,
            )
            for name, steps in STEPS.items()
        }
    return join_words(WordsConfig(), {name: part.ref for name, part in parts.items()})


@pytest.mark.parametrize("runner", RUNNERS)
def test_each_is_computed_once_then_cached_in_the_order_of_asking_with_edges(runner) -> None:
    @flow(task_runner=runner)
    def several() -> tuple[str, list[tuple[str, str]]]:
        with open_run("several", WordsConfig()) as run:
            each_learns(run)
            return str(run.flow_run_id), [(str(outcome.named), outcome.state) for outcome in run.outcomes]

    labels = ["write_words", *(f"learn_words: {name}" for name in STEPS), "join_words"]
    for state in ("computed", "cached"):
        run, found = several()
        assert found == [(label, state) for label in labels]
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        with get_client(sync_client=True) as client:
            tasks = {task.name: task for task in client.read_task_runs(flow_run_filter=of_run)}
        assert set(tasks) == set(labels)
        assert {upstream.id for upstream in tasks["join_words"].task_inputs["call"]} == {
            tasks[f"learn_words: {name}"].id for name in STEPS}  # fmt: skip
        assert [upstream.id for upstream in tasks["learn_words: a"].task_inputs["call"]] == [
            tasks["write_words"].id
        ]
    assert not list(get_settings().runs.iterdir())


def test_a_call_takes_what_another_of_the_group_will_give() -> None:
    @flow
    def chained() -> ReportRef:
        with open_run("chained", WordsConfig()):
            with fan_out() as several:
                words = several.call(write_words, WordsConfig())
                parts = {name: several.call(learn_words.labelled(name), LearnConfig(steps=steps), words)
                         for name, steps in STEPS.items()}  # fmt: skip
                joined = several.call(join_words, WordsConfig(), parts)
                with pytest.raises(ConfigError, match="while its group is under way"):
                    _ = joined.ref
            return joined.ref

    folder = Store(get_settings()).path(chained())
    assert [(folder / f"{name}.txt").read_text() for name in STEPS] == ["w", "wo", "wor"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_after_a_failure_nothing_more_starts_and_what_was_done_is_kept(
    runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "STILLHOUSE_STAGE_PROCESSES", "true"
    )  # One training at a time: the third waits for the second.
    get_settings.cache_clear()

    @flow(task_runner=runner)
    def fails() -> None:
        with open_run("fails", WordsConfig()) as run:
            each_learns(run, {"b": "data"})

    with pytest.raises(DataError, match="found nothing to learn"):
        fails()
    learnt = [record.metrics["learnt"] for record in Store(get_settings()).records("learn_words")]
    assert set(learnt) <= {1.0, 3.0}  # "b" left nothing; who had its turn before it is kept
    assert not list(get_settings().runs.iterdir())


def test_all_failures_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_TRAININGS", "2")
    get_settings.cache_clear()

    @flow
    def fails() -> None:
        with open_run("fails", WordsConfig()):
            words = write_words(WordsConfig())
            with fan_out() as several:
                for name in ("b", "c"):
                    config = LearnConfig(steps=STEPS[name], text=name, meets="together")
                    several.call(learn_words.labelled(name), config, words)

    with pytest.raises(SeveralFailed, match=r"2 stages failed\. learn_words: b: .* learn_words: c: "):
        fails()


def test_a_dry_run_plans_a_group_and_starts_nothing() -> None:
    options = RunOptions(dry_run=True)

    @flow
    def planned() -> None:
        with open_run("planned", WordsConfig()) as run:
            each_learns(run)

    with run_options(options):
        planned.fn()
    assert [(line.name, line.state) for line in options.plan] == [
        ("write_words", "miss"), *[(f"learn_words: {name}", "miss") for name in STEPS], ("join_words", "miss")]  # fmt: skip
    assert not get_settings().runs.exists()


def test_the_names_of_a_mapping_stand_among_those_of_the_inputs() -> None:
    one, two = DatasetRef(uri="file:///1", digest="1" * 64), DatasetRef(uri="file:///2", digest="2" * 64)
    assert flat_inputs("s", {"words": one, "parts": {"a": two}}) == {"words": one, "a": two}
    with pytest.raises(ConfigError, match="s was given no parts"):
        flat_inputs("s", {"parts": {}})
    with pytest.raises(ConfigError, match="s was given words twice"):
        flat_inputs("s", {"words": one, "parts": {"words": two}})
    nested = join_words.key(WordsConfig(), flat_inputs("join_words", {"parts": {"a": one, "b": two}}))
    assert nested == join_words.key(WordsConfig(), {"b": two, "a": one})


def test_trainings_take_turns_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_STAGE_PROCESSES", "true")
    get_settings.cache_clear()

    @flow
    def turns() -> list[tuple[float, float]]:
        with open_run("turns", WordsConfig()) as run:
            each_learns(run)
            return sorted(
                (_time(record.started), _time(record.started) + record.seconds)
                for record in run.store.records("learn_words")
            )

    times = turns()
    assert all(end <= begin + 0.01 for (_, end), (begin, _) in pairwise(times))


def _time(text: str) -> float:
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:26])
