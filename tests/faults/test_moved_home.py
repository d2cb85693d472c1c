"""A home that was copied or moved is a home of its own: MLflow's addresses are those of the folder where it lies."""

import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from infra.cli.command import main
from infra.settings import Settings, get_settings
from infra.tracking.tracker import Tracker
from tests.faults.heard import heard
from tests.tasks.reporting.run import RunConfig, tiny_release

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
NAME = "local/tiny"


def files(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every path of a folder with its inode, time of change and size."""
    return {
        path.relative_to(folder).as_posix(): (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        for path in [folder, *folder.rglob("*")]
        for stat in [path.lstat()]
    }


def live_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(home))
    get_settings.cache_clear()


def answers(home: Path, texts: list[str]) -> list[str]:
    """What the champion of a home's registry says."""
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    return list(mlflow.pyfunc.load_model("models:/local-tiny@champion").predict(texts)["label"])


def test_a_run_in_a_copy_touches_nothing_of_the_original(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_release(RunConfig())
    copy = tmp_path / "a copy"
    shutil.copytree(tracked_home, copy, symlinks=True)
    before = files(tracked_home)

    live_in(copy, monkeypatch)
    with heard() as lines:
        record = tiny_release(RunConfig(model="second"))
    assert record.registered_version == "2"
    assert files(tracked_home) == before
    (champion,) = (copy / "mlflow" / "artifacts" / "models").glob(
        "*/artifacts/artifacts/" + str(record.revision)
    )
    assert (champion / "onnx" / "model_quantized.onnx").is_file()
    assert len(list((copy / "mlflow" / "artifacts").glob("*/artifacts/config.json"))) == 2
    pages = [page for page in (copy / "reports").glob("*/report.html") if page.parent.name != "latest"]
    assert len(pages) == 2
    assert len([line for line in lines if "was copied or moved from" in line]) == 1


def test_the_champion_of_a_moved_home_loads_and_the_old_place_stays_empty(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_release(RunConfig())
    said = answers(tracked_home, ["what is my balance"])
    moved = tmp_path / "elsewhere" / "home"
    moved.parent.mkdir()
    tracked_home.rename(moved)

    live_in(moved, monkeypatch)
    assert main(["models", "history", NAME]) == 0
    assert answers(moved, ["what is my balance"]) == said
    assert not tracked_home.exists()


def test_files_of_an_old_run_are_found_in_a_copy(tracked_home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("the first run's")
    first = Tracker(Settings(home=tracked_home), "stillhouse/copied")
    old = first.start("flow")
    first.log_file(old, page)
    first.end(old)
    copy = tmp_path / "copy with 100% of it"
    shutil.copytree(tracked_home, copy)
    shutil.rmtree(tracked_home)

    second = Tracker(Settings(home=copy), "stillhouse/copied")
    new = second.start("flow")
    second.log_file(new, page)
    second.end(new)
    client = MlflowClient(f"sqlite:///{copy / 'mlflow' / 'mlflow.db'}")
    for run in (old, new):
        fetched = Path(client.download_artifacts(str(run), "report.html", str(tmp_path)))
        assert fetched.read_text() == "the first run's"
    assert not tracked_home.exists()
