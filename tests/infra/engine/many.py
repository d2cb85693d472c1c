"""Thirty stages at once, by six threads and by four processes, twenty times: computed once each, then cached.

    python -m tests.infra.engine.many [ROUNDS]

Each round takes a home of its own, runs the flow twice, then with other words kills it in the middle and runs it again. What
must hold is asserted: 30 outcomes in the order of asking; MLflow has a run for each that was computed and none for a hit;
after a kill only what was not done is done.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from mlflow.tracking import MlflowClient

from infra.engine.fan_out import fan_out
from infra.engine.run import open_run
from tests.infra.engine.stages import WordsConfig, write_words

from prefect import flow  # isort: skip
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner  # isort: skip

STAGES, ROUNDS, PATIENCE = 30, 20, 600.0
# What is left of a killed run ends by itself; Prefect's server does so in order, which takes it a while on a busy machine.
LEFT_SECONDS = 60.0
RUNNERS = {
    "threads": lambda: ThreadPoolTaskRunner(max_workers=6),
    "processes": lambda: ProcessPoolTaskRunner(max_workers=4),
}


def thirty(runner: str, words: str) -> dict[str, object]:
    """Run them in this process's home: the states, in the order of asking, and the flow's MLflow run."""

    @flow(name="thirty", task_runner=RUNNERS[runner]())
    def thirty_stages() -> dict[str, object]:
        with open_run("thirty", WordsConfig()) as run:
            with fan_out() as several:
                for number in range(STAGES):
                    several.call(write_words.labelled(str(number)), WordsConfig(text=f"{words} {number}"))
            labels = [str(outcome.named) for outcome in run.outcomes]
            assert labels == [f"write_words: {number}" for number in range(STAGES)], labels
            return {"states": [outcome.state for outcome in run.outcomes], "mlflow": run.mlflow_run_id}

    return thirty_stages()


def once(runner: str, home: Path) -> None:
    """One round."""
    ends(runner, home, "words", STAGES)
    ends(runner, home, "words", 0)
    process = started(runner, home, "others")
    while records(home) < STAGES + STAGES // 3:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.kill()
    all_ended(home)  # before its output is read: who is left would hold that open
    process.communicate()
    ends(runner, home, "others", 2 * STAGES - records(home))


def ends(runner: str, home: Path, words: str, due: int) -> None:
    """Run the flow to its end: so many of its stages are computed, the others hits."""
    found = json.loads(started(runner, home, words).communicate(timeout=PATIENCE)[0])
    assert len(found["states"]) == STAGES, found
    assert found["states"].count("computed") == due, (found, due)
    client = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("stillhouse/thirty")
    wanted = f"tags.mlflow.parentRunId = '{found['mlflow']}'"
    children = client.search_runs([experiment.experiment_id], wanted, max_results=100)
    assert len(children) == due, (len(children), due)
    hits = json.loads(client.get_run(found["mlflow"]).data.tags.get("stillhouse.hits", "[]"))
    assert len(hits) == STAGES - due, hits
    all_ended(home)


def all_ended(home: Path) -> None:
    """Nothing is left of a run but what it kept."""
    deadline = time.monotonic() + LEFT_SECONDS
    while left := processes(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def records(home: Path) -> int:
    """How many artifacts are whole."""
    return len(list(home.glob("artifacts/write_words/*/record.json")))


def processes(home: Path) -> list[str]:
    """Command lines of what runs in a home."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("STILLHOUSE_HOME") == str(home):
                found.append(" ".join(process.cmdline()))
    return found


def started(runner: str, home: Path, words: str) -> "subprocess.Popen[str]":
    """The flow, in a process of its own."""
    command = [sys.executable, "-m", "tests.infra.engine.many", "--one", runner, words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"STILLHOUSE_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def main(rounds: int) -> None:
    """Every round of both, each in a new home."""
    for number in range(rounds):
        for runner in RUNNERS:
            with tempfile.TemporaryDirectory(prefix="many-") as folder:
                begun = time.monotonic()
                once(runner, Path(folder) / "home")
                print(f"round {number + 1}, {runner}: {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        from infra.machine.prefect_server import temporary_server
        from infra.settings import get_settings

        with temporary_server(get_settings(), lambda: None):
            print(json.dumps(thirty(*sys.argv[2:4])))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
