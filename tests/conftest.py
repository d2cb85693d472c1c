"""What every test stands on: a home of its own, Prefect's real server, and the shared data where it is present."""

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.unmeasured import unmeasured

# A slow machine is no failure: a law has no deadline.
settings.register_profile("stillhouse", deadline=None)
# CI asks what a change broke: the same examples each time. New ones are looked for by `make test` and `make drill`.
settings.register_profile("stillhouse-ci", settings.get_profile("stillhouse"), derandomize=True)
settings.load_profile("stillhouse")

# Read at import by the libraries; a test process never touches the developer's own home.
os.environ.setdefault("STILLHOUSE_HOME", f"/tmp/stillhouse-tests-{os.getpid()}")
os.environ.setdefault("PREFECT_HOME", f"/tmp/stillhouse-tests-{os.getpid()}/prefect")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
# Tiny flows compute in their own process: another one imports for longer than they take. test_child.py tests those.
os.environ.setdefault("STILLHOUSE_STAGE_PROCESSES", "false")

# A million objects of libraries stay until the end: looking through them again and again takes a fifteenth of the suite's time.
gc.set_threshold(50_000, 20, 100)
ROOT = Path(__file__).parent.parent
# A suite that a shell started in the background ignores Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def tracking_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh MLflow database with its tables made, which takes seconds: made once, copied for each home."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A STILLHOUSE_HOME of this test alone, not made yet."""
    from infra.settings import get_settings

    folder = tmp_path / "home"
    monkeypatch.setenv("STILLHOUSE_HOME", str(folder))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


@pytest.fixture
def tracked_home(home: Path, tracking_database: Path) -> Path:
    """A home whose MLflow database is ready."""
    (home / "mlflow").mkdir(parents=True)
    shutil.copy(tracking_database, home / "mlflow" / "mlflow.db")
    return home


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own, one for the test session."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with ExitStack() as stack:
        with unmeasured():
            stack.enter_context(prefect_test_harness(server_startup_timeout=400))
        os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()  # for the processes that tests start
        yield
        del os.environ["PREFECT_API_URL"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not here: expected {SHARED_DATA}")
    return SHARED_DATA
