"""A run counts on what it has hit: nobody frees that, and nobody is kept from freeing the rest."""

import json
import os
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from infra.cli.command import main
from infra.engine.run import open_run
from infra.settings import get_settings
from infra.store.artifacts import Store
from tests.faults.aged import aged
from tests.infra.artifacts import folder, make_artifact
from tests.infra.chain import ChainConfig, chain, spell

FREE_ALL = ["artifacts", "gc", "--keep-days", "0"]


def mark_run(home: Path, host: str) -> None:
    """A flow run under way, by its marker."""
    process = psutil.Process()
    marker = {"pid": os.getpid(), "pid_started": process.create_time(), "host": host, "flow": "nightly",
              "flow_run_id": None, "mlflow_run_id": None}  # fmt: skip
    (home / "runs").mkdir(parents=True, exist_ok=True)
    (home / "runs" / "nightly.json").write_text(json.dumps(marker))


def stages(home: Path) -> set[str]:
    return {path.parent.parent.name for path in home.glob("artifacts/*/*/record.json")}


@pytest.mark.usefixtures("prefect_server")
def test_gc_leaves_what_a_run_counts_on_and_frees_the_rest(tracked_home: Path) -> None:
    make_artifact(Store(get_settings()), "idle", {"rows": "nobody's"})
    with open_run("chain", ChainConfig()):
        spell(ChainConfig())
        assert main(FREE_ALL) == 0
        assert stages(tracked_home) == {"spell"}
    assert main(FREE_ALL) == 0
    assert stages(tracked_home) == set()


def test_a_run_that_was_killed_on_another_host_blocks_nothing(home: Path) -> None:
    make_artifact(Store(get_settings()), "idle", {"rows": "nobody's"})
    mark_run(home, "a-container-that-is-gone")
    assert main(FREE_ALL) == 0
    assert stages(home) == set()


@pytest.mark.usefixtures("prefect_server")
def test_a_bounded_home_is_kept_to_its_bound_while_other_flows_run(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("STILLHOUSE_STORE_CACHE_GB", "0")
    get_settings.cache_clear()
    mark_run(tracked_home, os.uname().nodename)
    chain(ChainConfig(word="before"))
    chain(ChainConfig(word="now"))
    words = {path.read_text() for path in tracked_home.glob("artifacts/*/*/*.txt")}
    assert "before" not in words


def test_tables_that_are_being_made_are_not_freed_and_their_lock_is_the_makers(home: Path) -> None:
    tables = home / "warehouse" / "github_repos" / "2-0123456789abcdef0123"
    tables.mkdir(parents=True)
    (tables / "files.parquet").write_text("rows")
    aged(tables)
    with FileLock(tables.with_name(f".{tables.name}.lock")):
        assert main(["artifacts", "gc"]) == 0
        assert tables.is_dir()
    assert main(["artifacts", "gc"]) == 0
    assert not tables.exists()


def test_a_stage_at_work_is_not_called_killed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, key = Store(get_settings()), "1" * 64
    with store.writing("train", key) as (output, _), store.lock(key):
        (output / "weights").write_text("half")
        main(["artifacts", "gc", "--dry-run"])
        assert "killed" not in capsys.readouterr().out
        assert folder(store, make_artifact(store, "other", {"x": "y"})).is_dir()
