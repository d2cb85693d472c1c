"""A table is a file with rows: nothing that never ends, that waits for somebody, or that lies somewhere else."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import psutil
import pytest

from infra.errors import ConfigError, DataError
from tasks.data.extraction.source import pin
from tests.conftest import ROOT

ENDLESS = "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
PATIENCE = 20.0  # seconds
READ = """
import signal, sys
from pathlib import Path
from tasks.data.extraction.databases import sqlite_records
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
print("reading", flush=True)
for row in sqlite_records(Path(sys.argv[1]), "v"):
    print(row)
"""


def sqlite_file(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
    return path


@contextmanager
def fifo(path: Path) -> Iterator[Path]:
    """A pipe with a table behind it, for whoever opens it."""

    def write() -> None:
        path.write_text("text,label\na,x\n")

    os.mkfifo(path)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield path
    finally:
        with os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        ):  # Lets a writer go that nobody has read from.
            writer.join()


def test_a_view_is_no_table_of_its_file(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "t.sqlite", "CREATE TABLE t (text, label)", f"{ENDLESS} SELECT i FROM n")
    assert [file.table for file in pin([path]).files] == ["t"]


def test_a_view_of_duckdb_is_none_either(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with closing(duckdb.connect(str(path))) as database:
        database.execute("CREATE TABLE t (text VARCHAR, label VARCHAR)")
        database.execute("CREATE VIEW v AS SELECT * FROM t")
    assert [file.table for file in pin([path]).files] == ["t"]


def test_a_file_of_views_alone_says_how_to_name_one(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "t.sqlite", "CREATE VIEW v AS SELECT 'a' AS text, 'x' AS label")
    with pytest.raises(DataError, match="FILE::VIEW: v"):
        pin([path])


def test_a_view_without_end_is_left_at_ctrl_c(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "t.sqlite", f"{ENDLESS} SELECT max(i) AS text FROM n")
    argv = [sys.executable, "-c", READ, str(path)]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reading:
        assert reading.stdout is not None and reading.stdout.readline() == "reading\n"
        process = psutil.Process(reading.pid)
        counting = process.cpu_times().user + 0.5  # seconds: by then the view is being counted
        while process.cpu_times().user < counting and reading.poll() is None:
            time.sleep(0.05)
        reading.send_signal(signal.SIGINT)
        try:
            _, said = reading.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            reading.kill()
            pytest.fail("Ctrl-C was not heard")
    assert "KeyboardInterrupt" in said
    assert reading.returncode == -signal.SIGINT


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    with fifo(tmp_path / "t.csv") as path, pytest.raises(ConfigError, match=r"t\.csv is a pipe"):
        pin([path])


def test_a_pipe_that_says_it_is_an_archive_is_refused(tmp_path: Path) -> None:
    with fifo(tmp_path / "t.csv.gz") as path, pytest.raises(ConfigError, match=r"t\.csv\.gz is a pipe"):
        pin([path])


def test_a_pipe_in_a_folder_is_refused_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,x\n")
    with fifo(tmp_path / "test.csv"), pytest.raises(ConfigError, match=r"test\.csv is a pipe"):
        pin([tmp_path])


def test_a_link_out_of_the_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("text,label\nkey,x\n")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "train.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=r"train\.csv is a link to .*/secret, outside of the folder"):
        pin([tmp_path / "given"])


def test_a_link_out_of_the_folder_by_way_of_a_folder_inside_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("text,label\nkey,x\n")
    given = tmp_path / "given"
    given.mkdir()
    (given / "up").symlink_to(tmp_path)
    (given / "train.csv").symlink_to(given / "up" / "secret.csv")
    with pytest.raises(ConfigError, match="outside of the folder"):
        pin([given])
