"""Files are written whole or not at all, by whomever, and locks die with their holder or there are none."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prefect import flow
from pydantic import BaseModel, ConfigDict

from infra.engine.run import open_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ArtifactError
from infra.files import write_atomically
from tasks.formats.kinds import DatasetRef

ROOT = Path(__file__).parents[2]
WITHOUT_FLOCK = Path(__file__).with_name("without_flock.py")


def test_threads_that_write_one_file_all_succeed(tmp_path: Path) -> None:
    path, failed = tmp_path / "record.json", []

    def write(number: int) -> None:
        try:
            for _ in range(100):
                write_atomically(path, str(number) * 1000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(set(path.read_text())) == 1


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "record.json"
    in_the_way.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(in_the_way, "text")
    assert list(tmp_path.iterdir()) == [in_the_way]


class LinkedConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str


@stage(version=1, output=DatasetRef)
def link_to_elsewhere(run: StageRun, config: LinkedConfig) -> Metrics:
    """Leaves a link in its output, as a download cache does."""
    (run.output_dir / "weights").write_text("weights")
    (run.output_dir / "tokenizer").symlink_to(config.target)
    return {}


@flow(name="linked")
def linked(config: LinkedConfig) -> None:
    with open_run("linked", config):
        link_to_elsewhere(config)


@pytest.mark.usefixtures("prefect_server", "tracked_home")
@pytest.mark.parametrize("target", ["a folder", "a file"])
def test_a_symbolic_link_in_an_output_is_refused(tmp_path: Path, target: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "tokenizer.json").write_text("{}")
    config = LinkedConfig(target=str(elsewhere if target == "a folder" else elsewhere / "tokenizer.json"))
    with pytest.raises(ArtifactError, match=r"tokenizer is a symbolic link to .*elsewhere.*Copy there"):
        linked(config)


def without_flock(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run code with `settings` of a home, on a disk without file locks."""
    start = f"from pathlib import Path; from infra.settings import Settings; settings = Settings(home=Path({str(home)!r}))\n"
    return subprocess.run(
        [sys.executable, WITHOUT_FLOCK, "-c", start + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )


def test_a_home_on_a_disk_without_file_locks_is_refused(tmp_path: Path) -> None:
    code = "from infra.machine.environment import open_home; open_home(settings)"
    done = without_flock(code, tmp_path / "home")
    assert done.returncode != 0
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("infra.errors.StoreError"))
    assert "flock" in said
    assert "set STILLHOUSE_HOME to a folder on a local disk" in said


def test_doctor_names_a_home_on_a_disk_without_file_locks(tmp_path: Path) -> None:
    code = "from infra.cli.home_checks import check_home; check = check_home(settings.home); print(check.state, check.remedy)"
    said = without_flock(code, tmp_path / "home").stdout
    assert said.startswith("fault")
    assert "set STILLHOUSE_HOME to a folder on a local disk" in said


def test_a_key_is_never_locked_by_a_file_that_outlives_its_holder(tmp_path: Path) -> None:
    code = "from infra.store.artifacts import Store\nwith Store(settings).lock('k' * 64): print('held')"
    done = without_flock(code, tmp_path / "home")
    assert "held" not in done.stdout
    assert "flock" in done.stderr.splitlines()[-1]
