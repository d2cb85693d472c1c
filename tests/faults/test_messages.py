"""What is said of data, paths and errors is what they are: no markup, no wrong culprit, no password."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from infra.catalog.lineage import lineage_tree
from infra.cli.command import main
from infra.engine.run import RunOptions, open_run, run_options
from infra.errors import StoreError
from infra.files import disk_errors
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import InputRecord
from tests.faults.tiny_flow import COMMAND
from tests.infra.artifacts import make_artifact
from tests.infra.chain import ChainConfig

SECRET = "hunter2"


@contextmanager
def _without_the_right_to_read(file: Path) -> Iterator[None]:
    """Root reads everything: it becomes another user for a moment."""
    file.chmod(0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("path", ["/data/[draft] fields.yaml", "/data[/etc]/fields.yaml"])
def test_brackets_of_a_path_are_in_the_message(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert COMMAND.main(["--config", path]) == 2
    assert path in capfd.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("line", ["  made from [draft] tickets.csv", "  nothing in [/etc]", "  :warning:"])
def test_a_line_of_a_run_is_printed_as_it_is(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    with run_options(RunOptions(dry_run=True)), open_run("lines", ChainConfig()) as run:
        run.say(line)
    assert line in capfd.readouterr().err


def test_the_plan_of_a_dry_run_shows_values_with_brackets(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_artifact(Store(get_settings()), "spell", {"word.txt": "one"})
    assert COMMAND.main(["--dry-run", "--word", "[bold]one[/x]"]) == 0
    assert "[bold]one[/x]" in "".join(capfd.readouterr().out.splitlines())


def test_lineage_shows_a_source_whose_path_has_brackets(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "file:///data/[draft]/tickets.csv"
    source = InputRecord(kind="SourceRef", uri=uri, digest="0" * 64)
    store = Store(get_settings())
    record = make_artifact(store, "extract", {"rows": "1"}, {"sources": source})
    Console(width=300, file=sys.stdout).print(lineage_tree(store, record))
    assert uri in capsys.readouterr().out


@pytest.mark.parametrize("report", ["/proc/nowhere/report.json", "folder", "file/report.json"])
@pytest.mark.usefixtures("prefect_server")
def test_a_report_that_cannot_be_written_is_found_out_before_the_run(
    report: str, tracked_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert COMMAND.main(["--report", str(tmp_path / report)]) == 2
    said = capfd.readouterr().err
    assert f"--report {tmp_path / report} cannot be written" in said
    assert not (tracked_home / "artifacts").exists()


def test_an_input_that_may_not_be_read_is_named_instead_of_the_home(tmp_path: Path) -> None:
    table, home = tmp_path / "tickets.csv", tmp_path / "home"
    table.write_text("text,label")
    home.mkdir()
    with pytest.raises(StoreError) as refused, disk_errors(home), _without_the_right_to_read(table):
        table.read_text()
    assert f"{table} cannot be read" in str(refused.value)
    assert "STILLHOUSE_HOME" not in str(refused.value)
    assert f"{home} cannot be written" not in str(refused.value)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"postgresql+asyncpg://bob:{SECRET}@db/prefect"),
        ("MLFLOW_BACKEND_STORE_URI", f"postgresql://db/mlflow?user=bob&password={SECRET}"),
    ],
)
def test_a_password_in_an_address_is_not_printed_but_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["env"]) == 0
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    assert name not in out and name in err


@pytest.mark.usefixtures("home")
def test_the_tracking_server_s_password_is_taken_from_the_setting(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", f"https://bob:{SECRET}@mlflow.example.org")
    get_settings.cache_clear()
    assert main(["env"]) == 0
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    assert 'export MLFLOW_TRACKING_URI="$STILLHOUSE_MLFLOW_URI"' in out
