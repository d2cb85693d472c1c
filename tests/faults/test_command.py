"""The command `stillhouse`, from a working folder with a `tasks.py` and a package `flows` of the user's own."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.faults.environments import PATIENCE, ROOT
from tests.typed import STILLHOUSE

pytestmark = pytest.mark.slow


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    for package in ("flows", "infra"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("raise SystemExit('this is the user\\'s')")
    (folder / "tasks.py").write_text("import invoke_is_not_here")
    return folder


def stillhouse(folder: Path, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"STILLHOUSE_HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        [STILLHOUSE, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_a_flow_runs_beside_the_user_s_own_tasks_and_flows(theirs: Path, home: Path) -> None:
    done = stillhouse(theirs, home, "run", "data", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "publish_dataset" in done.stdout


def test_dashes_and_underscores_name_the_same_flow_and_its_options_are_the_same(
    theirs: Path, home: Path
) -> None:
    shown = stillhouse(theirs, home, "run", "end-to-end", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "stillhouse run end-to-end" in shown.stdout and "--distill.layers" in shown.stdout


def test_a_flow_that_is_not_there_is_told_with_the_closest(theirs: Path, home: Path) -> None:
    refused = stillhouse(theirs, home, "run", "end_to_ned")
    assert refused.returncode == 2
    assert (
        "Did you mean end-to-end? Flows: adapt, compress, data, distill-lm, end-to-end, pretrain."
        in refused.stderr
    )


def test_every_command_of_the_house_is_a_subcommand(theirs: Path, home: Path) -> None:
    assert "Nothing was running" in stillhouse(theirs, home, "down").stdout
    shown = stillhouse(theirs, home, "--help").stdout
    for command in (
        "run",
        "up",
        "down",
        "status",
        "doctor",
        "env",
        "recipes",
        "artifacts",
        "runs",
        "models",
        "predict",
    ):
        assert command in shown


def test_run_without_a_flow_lists_them(theirs: Path, home: Path) -> None:
    shown = stillhouse(theirs, home, "run", "--help")
    assert shown.returncode == 0
    for flow in ("compress", "data", "end-to-end"):
        assert flow in shown.stdout
