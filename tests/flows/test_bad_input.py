"""What a user gets wrong, as typed: exit code 2, one message with the remedy, no traceback, and the store as it was."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.store.artifacts import Store
from tests.conftest import ROOT
from tests.flows.conftest import Unbroken
from tests.flows.running import run
from tests.flows.tiny import Tiny, rows, write_table

pytestmark = pytest.mark.slow

USAGE_ERROR = 2
MESSAGE = re.compile(r"^(Config|Data|Warehouse|Artifact|Store)Error: ", re.MULTILINE)
Wrong = Callable[[Tiny, Path], list[str]]


def query(sql: str) -> Wrong:
    """The flow asked with this query over the table."""

    def wrong(tiny: Tiny, folder: Path) -> list[str]:
        (folder / "asked.sql").write_text(sql)
        return tiny.arguments(extract__query=folder / "asked.sql")

    return wrong


def table(made: list[tuple[str, str]]) -> Wrong:
    """The flow asked with these rows."""
    return lambda tiny, folder: tiny.arguments(extract__table=write_table(folder / "mine.csv", made))


def recipe(yaml: str) -> Wrong:
    """The flow asked with this file of fields too."""

    def wrong(tiny: Tiny, folder: Path) -> list[str]:
        (folder / "recipe.yaml").write_text(yaml)
        return [*tiny.arguments(), "--config", str(folder / "recipe.yaml")]

    return wrong


def option(**changed: object) -> Wrong:
    return lambda tiny, folder: tiny.arguments(**changed)


def truncated_base(tiny: Tiny, folder: Path) -> list[str]:
    shutil.copytree(tiny.base, folder / "encoder")
    weights = folder / "encoder" / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)
    return tiny.arguments(base__source=folder / "encoder")


def store_of(home: Path) -> dict[str, str]:
    """Every file of the artifacts, the Hub and the work folders, with its sha256."""
    files = [
        path for part in ("artifacts", "hub", "work") for path in (home / part).rglob("*") if path.is_file()
    ]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("wrong", "said", "finished"), [
    pytest.param(query("SELEC text, label FROM requests"), "asked.sql", [], id="sql_syntax"),
    pytest.param(query("SELECT summary AS text, label FROM requests"), "summary", [], id="missing_column"),
    pytest.param(query("SELECT text, label FROM request"), "requests", [], id="missing_table"),
    pytest.param(query("SELECT text, label FROM requests WHERE label = 'none'"), "no rows", [], id="zero_rows_of_a_query"),
    pytest.param(table([]), "no rows", [], id="zero_rows"),
    pytest.param(table(rows(60, ("travel",))), "travel", ["extract"], id="one_class"),
    pytest.param(recipe("distill: {temprature: 2}"), "did you mean 'temperature'?", [], id="unknown_field"),
    pytest.param(option(distill__temperature=0), "distill.temperature is '0'", [], id="temperature_0"),
    pytest.param(option(extract__table="absent.csv"), "absent.csv", [], id="missing_file"),
    pytest.param(option(extract__text_column="summary"), "summary", [], id="missing_column_of_a_table"),
    pytest.param(truncated_base, "model.safetensors is damaged", [], id="truncated_base_model"),
    pytest.param(option(tokenizer__vocabulary_size=20), "tokenizer.vocabulary_size is 20", [], id="vocabulary_too_small"),
    pytest.param(option(train__max_length=128), "train.max_length is 128", [], id="more_tokens_than_positions"),
])  # fmt: skip
def test_one_message_and_the_store_as_it_was(
    unbroken: Unbroken, copied_home: Path, tmp_path: Path, wrong: Wrong, said: str, finished: list[str]
) -> None:
    before = store_of(copied_home)
    code, printed = run(copied_home, wrong(unbroken.tiny, tmp_path))
    assert code == USAGE_ERROR, printed
    assert len(MESSAGE.findall(printed)) == 1, printed
    assert said in printed[MESSAGE.search(printed).start() :]  # type: ignore[union-attr]
    assert "Traceback" not in printed
    after = store_of(copied_home)
    assert {path: after.get(path) for path in before} == before
    assert {"/".join(Path(path).parts[:2]) for path in after.keys() - before.keys()} == {
        f"artifacts/{stage}" for stage in finished}  # fmt: skip
    records = list(Store(Settings(home=copied_home)).records())
    assert len(records) == len(list(copied_home.glob("artifacts/*/*")))


def test_a_wrong_word_typed_at_a_shell_is_said_in_a_moment(unbroken: Unbroken, tmp_path: Path) -> None:
    """The command itself, imports and all: nothing is made before what was asked is known to be right."""
    argv = [sys.executable, "-m", "flows.end_to_end", *unbroken.tiny.arguments(distill__temperature=0)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == USAGE_ERROR
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "ConfigError: the config cannot be used:",
        "  distill.temperature is '0': input should be greater than 0. --help-all lists every field with its bounds.",
    ]
    assert not (tmp_path / "home").exists()
