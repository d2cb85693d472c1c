"""One unbroken run of the whole flow on tiny input, made once for all tests of this folder and all their workers."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from infra.settings import get_settings
from tasks.reporting.summary import RunSummary
from tests.flows.clouds import Runs
from tests.flows.running import new_home, run
from tests.flows.tiny import Tiny, write_tiny


@dataclass(frozen=True)
class Unbroken:
    """The run that everything else is compared with. Its home is only read: `copy_of_home` gives one to work in."""

    home: Path
    tiny: Tiny
    exit_code: int
    printed: str
    summary: RunSummary


@pytest.fixture(scope="session")
def unbroken(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None, tracking_database: Path
) -> Unbroken:
    base = tmp_path_factory.getbasetemp()
    # pytest-xdist's workers have folders side by side: the first to come runs the flow, the others read.
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flows"
    shared.mkdir(exist_ok=True)
    home, tiny, result = shared / "home", Tiny(shared / "encoder", shared / "requests.csv"), shared / "result"
    with FileLock(shared / "lock"):
        if not result.is_dir():
            write_tiny(shared)
            # Of a worker that was interrupted: one failure is not everybody's.
            shutil.rmtree(home, ignore_errors=True)
            new_home(home, tracking_database)
            code, printed = run(home, [*tiny.arguments(), "--report", str(shared / "report.json")])
            assert (shared / "report.json").exists(), printed
            result.mkdir()
            (result / "exit_code").write_text(str(code))
            (result / "printed").write_text(printed)
    return Unbroken(
        home=home,
        tiny=tiny,
        exit_code=int((result / "exit_code").read_text()),
        printed=(result / "printed").read_text(),
        summary=RunSummary.model_validate_json((shared / "report.json").read_bytes()),
    )


@pytest.fixture
def copied_home(unbroken: Unbroken, tmp_path: Path) -> Path:
    """The unbroken run's home, copied: everything in it is a hit."""
    return Path(shutil.copytree(unbroken.home, tmp_path / "home", symlinks=True))


@pytest.fixture
def runs(tmp_path: Path, tracking_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Runs of `flows.data` in homes of this test; the environment is as it was afterwards."""
    yield Runs(tmp_path, tracking_database, monkeypatch)
    monkeypatch.undo()
    get_settings.cache_clear()
