"""Whatever a file, a column, a table or a record is called: the terminal is told its name, and does nothing else."""

import csv
import logging
import os
import sqlite3
import subprocess
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from flows.configs.data import COMMAND
from infra.cli.command import main
from infra.engine.run import RunOptions, open_run, run_options
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import InputRecord
from tests.conftest import ROOT
from tests.faults.tiny_flow import COMMAND as TINY
from tests.infra.artifacts import make_artifact
from tests.infra.chain import ChainConfig
from tests.typed import typed

pytestmark = pytest.mark.usefixtures("home")
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
TITLE, LINK = "\x1b]0;owned\x07", "\x1b]8;;https://evil.example\x1b\\safe\x1b]8;;\x1b\\"
CSI, OVERRIDE = "\x9b31mred", "t\u202evsc.x"
STEERING = st.sampled_from(
    [*map(chr, range(1, 32)), *map(chr, range(0x7F, 0xA0)), *DIRECTIONS, "\u2028", "\u2029"]
)
TEXTS = st.text(
    st.one_of(STEERING, st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=12
)
few = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def steering(text: str) -> set[str]:
    """Characters of a text that a terminal obeys: controls but the line break, directions, separators of lines."""
    return {
        one
        for one in text
        if (unicodedata.category(one) in ("Cc", "Zl", "Zp") and one != "\n") or one in DIRECTIONS
    }


def refused(argv: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What a dry run of the data flow says, which ends with the exit code of wrong input."""
    assert COMMAND.main(["--dry-run", *argv]) == 2
    said = capfd.readouterr().err
    assert steering(said) == set()
    assert said.count("Error: ") >= 1
    return said


@few
@given(TEXTS)
@example(CSI)
@example(OVERRIDE)
@example(f'{TITLE}"')
def test_any_text_as_a_path(capfd: pytest.CaptureFixture[str], text: str) -> None:
    refused([f"--extract.table={text}/none.csv"], capfd)


@few
@given(TEXTS)
@example(TITLE)
@example(LINK)
def test_any_text_as_the_path_of_a_config(capfd: pytest.CaptureFixture[str], text: str) -> None:
    refused([f"--config={text}/none.yaml"], capfd)


@few
@given(TEXTS)
@example(TITLE)
@example("[bold red]fake: released[/bold red]\x9b")
def test_any_text_as_a_column(capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[f"n{text}", "other"], ["1", "2"]])
    refused(["--extract.table", str(tmp_path / "t.csv")], capfd)


@few
@given(TEXTS)
@example(LINK)
def test_any_text_as_a_table(capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.sqlite"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute('CREATE TABLE "t{}" (a)'.format(text.replace('"', '""')))
    assert "it has t" in refused(["--extract.table", f"{path}::none"], capfd)


@few
@given(TEXTS)
@example(TITLE)
def test_any_text_in_a_record(capfd: pytest.CaptureFixture[str], text: str) -> None:
    source = InputRecord(kind="SourceRef", uri=f"file:///data/{text}", digest="0" * 64)
    record = make_artifact(Store(get_settings()), "extract", {"rows": text}, {f"tables {text}": source})
    assert main(["artifacts", "lineage", record.key]) == 0
    shown = capfd.readouterr().out
    assert steering(shown) == set()
    assert "file:///data/" in shown


@few
@given(TEXTS)
@example(f"{TITLE}[/x].parquet is damaged")
def test_any_text_as_a_line_of_a_run(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """What is said of records, notes and errors at the terminal, and again in Prefect's log."""
    caplog.clear()
    with (
        caplog.at_level(logging.INFO, "infra"),
        run_options(RunOptions(dry_run=True)),
        open_run("x", ChainConfig()) as run,
    ):
        run.say(f"  {text}\x9b")
    said = capfd.readouterr().err
    assert steering(said + caplog.text) == set()
    assert len(said.splitlines()) == 1


@few
@given(TEXTS)
@example(CSI)
def test_any_text_as_what_is_typed(capfd: pytest.CaptureFixture[str], text: str) -> None:
    """The parser repeats what it does not know."""
    assume(not text.startswith("-"))
    assert main(["artifacts", "gc", f"--{text}\x9b"]) == 2
    assert steering(capfd.readouterr().err) == set()


def test_the_plan_of_a_dry_run_shows_what_a_field_was(capfd: pytest.CaptureFixture[str]) -> None:
    make_artifact(Store(get_settings()), "spell", {"word.txt": "one"})
    assert TINY.main(["--dry-run", "--word", f"{LINK}{OVERRIDE}"]) == 0
    assert steering(capfd.readouterr().out) == set()


def test_a_line_break_in_a_name_begins_no_message(capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(["--config", "x\nPASS: released"], capfd)
    assert not any(line.startswith("PASS") for line in said.splitlines())


def test_a_warning_is_as_harmless_as_an_error(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert TINY.main(["--dry-run"]) == 0  # From then on its warnings go to the terminal.
    try:
        raise ValueError(TITLE)
    except ValueError:
        logging.getLogger("infra.tracking").warning("the server of %s is gone", CSI, exc_info=True)
    said = capfd.readouterr().err
    assert "is gone" in said and "ValueError" in said
    assert steering(said + caplog.text) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["flows.data", "--dry-run", "--extract.table", f"{CSI}.csv"], 2),
        (["flows.data", f"--extract.tabel={TITLE}"], 2),
        (["stillhouse", "artifacts", "gc", f"--{TITLE}"], 2),
    ],
)
def test_what_is_typed_at_a_shell_comes_back_as_text(argv: list[str], code: int, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    done = subprocess.run(typed(*argv), cwd=ROOT, env=environment, capture_output=True)
    said = done.stderr.decode()
    assert done.returncode == code
    assert said and steering(said) == set()
