"""Names, configs and queries of any length and depth are refused with a message, never with a stack trace."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.configs.data import COMMAND
from flows.configs.end_to_end import COMMAND as END_TO_END
from infra.cli.command import main
from infra.errors import DataError, WarehouseError
from infra.warehouse.dialect import parse_select
from infra.warehouse.protocol import Query
from tasks.data.extraction.record_table import json_table
from tests.faults.tiny_flow import COMMAND as TINY

pytestmark = pytest.mark.usefixtures("home")
LONG = f"team/{'n' * 300}"
DEEP = "[" * 100_000
ROWS = "text,label\nwhere is my parcel,delivery\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    return path


def refused(argv: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What a dry run of the data flow says, which ends with the exit code of wrong input."""
    assert COMMAND.main(["--dry-run", *argv]) == 2
    return " ".join(capfd.readouterr().err.split())


def test_a_long_name_of_a_data_set_is_refused_before_anything_is_made(
    table: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refused(["--extract.table", str(table), "--publish.name", LONG], capfd)
    assert "publish.name is 'team/nnn" in said and "{0,95}" in said


def test_a_long_name_of_a_release_is_refused_before_anything_is_made(
    table: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert END_TO_END.main(["--dry-run", "--extract.table", str(table), "--release.name", LONG]) == 2
    assert "release.name is 'team/nnn" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["history", "rollback"])
def test_a_long_name_of_a_repository_is_no_name(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", command, LONG]) == 2
    assert "at most 96" in capfd.readouterr().err


def test_what_is_too_long_for_a_path_is_looked_for_as_a_digest(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "lineage", "f" * 5_000]) == 2
    assert "expected one artifact" in capfd.readouterr().err


@pytest.mark.parametrize(
    "given", ["t" * 5_000, f"{'t' * 300}.csv", "~nobody-of-this-name/t.csv", "t.csv::" + "t" * 300]
)
def test_a_table_that_is_no_path_is_refused(given: str, capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(["--extract.table", given], capfd)
    assert "is no path that can be opened" in said or "does not exist" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"extract: {DEEP[:1_000]}", "too deep"),
        (f"extract: {'[' * 300}{']' * 300}", "too deep"),
        ("extract: &again [*again]", "extract.0 is"),
        ("extract: {text_column: 2020-01-01}", "extract.text_column is datetime.date(2020, 1, 1)"),
        (f"extract: {'1' * 5_000}", "is not YAML"),
    ],
    ids=["deep", "less_deep", "in_itself", "date", "long_number"],
)
def test_a_config_file_that_cannot_be_read_is_one_message(
    content: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "asked.yaml").write_text(content)
    assert said in refused(["--config", str(tmp_path / "asked.yaml")], capfd)


@pytest.mark.parametrize(
    "argv",
    [
        ["--extract.parameters", DEEP],
        ["--extract", f'{{"table": {DEEP}{"]" * len(DEEP)}}}'],
        ["--extract.table", 'a"b.csv'],
    ],
    ids=["parameters", "section", "quote"],
)
def test_json_that_cannot_be_read_is_one_message(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert "the command line cannot be read" in refused(argv, capfd)


@pytest.mark.parametrize("given", [DEEP, "[x"], ids=["deep", "cut"])
def test_json_of_the_environment_is_one_message_too(
    given: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_EXTRACT__TABLE", given)
    assert "the environment cannot be read" in refused([], capfd)


def test_a_deep_line_of_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"text": "a"}}\n{{"text": {DEEP}{"]" * len(DEEP)}}}\n')
    with pytest.raises(DataError, match="line 2"):
        json_table(tmp_path / "t.jsonl")


def test_a_deep_query_is_refused() -> None:
    sql = f"SELECT {'(' * 5_000}1{')' * 5_000} AS text"
    with pytest.raises(WarehouseError, match="too deep"):
        parse_select(Query(sql, 1, {}, "deep.sql"))


@pytest.mark.parametrize("name", ["[draft] t.csv", "{1} t.csv", "[t.csv", "[ü\\] t.csv"])
def test_a_name_that_begins_with_a_bracket_is_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    assert COMMAND.main(["--dry-run", "--extract.table", name]) == 0
    assert "give 1 rows" in capfd.readouterr().err


class _Page(BaseHTTPRequestHandler):
    """What Prefect's UI answers at an address that is not its API: a page to who reads, 404 or 405 to who writes."""

    answers: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        known = self.answers.get(self.path.removeprefix("/wrong"))
        self._answer(404 if self.answers and known is None else 200, known or b"<html>")

    def do_POST(self) -> None:
        self._answer(404, json.dumps({"detail": "Not Found"}).encode())

    def log_message(self, format: str, *given: object) -> None:
        """Not at the terminal."""

    def _answer(self, code: int, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Healthy(_Page):
    """Likewise, behind something that answers for it."""

    answers: ClassVar[dict[str, bytes]] = {"/health": b"true", "/admin/version": b'"3.8.8"'}


@pytest.fixture(params=[_Page, _Healthy])
def no_api(request: pytest.FixtureRequest) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), request.param)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/wrong"
    server.shutdown()
    serving.join()
    server.server_close()


def test_an_address_that_is_not_prefect_s_api_is_one_message(
    no_api: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: no_api}):
        assert TINY.main([]) == 2
    said = capfd.readouterr().err
    assert "ServiceError" in said and no_api in said and "Traceback" not in said
