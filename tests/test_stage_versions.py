"""No stage changes what it computes under its old version, and a move of code is no such change."""

import json
from pathlib import Path

import pytest

from infra.errors import ConfigError
from tests import stage_versions
from tests.stage_versions import Code

STAGE = '''
from infra.engine.stage import stage
from tasks.words.config import WordsConfig

@stage(version=3, output=None)
def count(run, config: WordsConfig, dataset):
    """Count words."""
    from tasks.words import counting
    return counting.count(config, run.path(dataset))
'''
CONFIG = "class WordsConfig:\n    least: int = 1\n"
COUNTING = '''
import sys
from tasks.words.splitting import split

WORKER = "tasks.words.worker"

def count(config, path):
    """How many."""
    if not path.is_file():
        raise ValueError(f"{path} is no file: add what it lacks to tasks/words/splitting.py.")
    return len(split(path.read_text())), [sys.executable, "-m", WORKER], "words.j2"

def unused():
    return 1
'''
SPLITTING = "def split(text):\n    return text.split()\n"
WORKER = "def work():\n    return 2\n\nif __name__ == '__main__':\n    work()\n"
FILES = {
    "tasks/words/task.py": STAGE,
    "tasks/words/config.py": CONFIG,
    "tasks/words/counting.py": COUNTING,
    "tasks/words/splitting.py": SPLITTING,
    "tasks/words/worker.py": WORKER,
    "tasks/words/templates/words.j2": "{{ words }}",
}


def fingerprint(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (found,) = Code(root).stages().values()
    assert found.version == 3
    return found.fingerprint


@pytest.fixture
def before(tmp_path: Path) -> str:
    return fingerprint(tmp_path / "before", FILES)


def test_no_stage_changed_what_it_computes_under_its_old_version() -> None:
    changed = stage_versions.silent_changes()
    assert changed == [], (
        f"the code of {changed} changed: raise `version` in its @stage if its results change, "
        "then accept with `python -m tests.stage_versions --write`"
    )


def test_the_file_of_versions_is_what_the_command_writes() -> None:
    assert stage_versions.LOCK.read_text() == stage_versions.accepted(stage_versions.recorded())
    assert json.loads(stage_versions.LOCK.read_text()).keys() == stage_versions.current().keys()


def test_code_that_moves_to_other_files_keeps_its_fingerprint(before: str, tmp_path: Path) -> None:
    moved = {
        name.replace("tasks/words", "tasks/texts/words").replace("task.py", "stages.py"): text.replace(
            "tasks.words", "tasks.texts.words"
        ).replace("tasks/words", "tasks/texts/words")
        for name, text in FILES.items()
    }
    assert fingerprint(tmp_path / "moved", moved) == before


def test_a_definition_that_moves_into_another_module_keeps_it_too(before: str, tmp_path: Path) -> None:
    inside = COUNTING.replace("from tasks.words.splitting import split", SPLITTING)
    assert fingerprint(tmp_path / "inside", FILES | {"tasks/words/counting.py": inside}) == before


def test_comments_docstrings_and_what_is_not_reached_do_not_count(before: str, tmp_path: Path) -> None:
    other = COUNTING.replace("How many.", "The number.").replace("return 1", "return 2  # never asked")
    assert fingerprint(tmp_path / "other", FILES | {"tasks/words/counting.py": other}) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tasks/words/task.py", "count(config,", "count(config or 1,"),
        ("tasks/words/config.py", "= 1", "= 2"),
        ("tasks/words/counting.py", "len(", "1 + len("),
        ("tasks/words/splitting.py", "split()", "split(',')"),
        ("tasks/words/worker.py", "return 2", "return 3"),
        ("tasks/words/templates/words.j2", "words", "the words"),
    ],
)
def test_what_a_stage_reaches_counts(before: str, tmp_path: Path, file: str, old: str, new: str) -> None:
    assert fingerprint(tmp_path / "changed", FILES | {file: FILES[file].replace(old, new)}) != before


def test_what_a_stage_shows_does_not_count(before: str, tmp_path: Path) -> None:
    shown = STAGE.replace("output=None", 'output=None, section=describe, reads=("words.json",)').replace(
        "import WordsConfig", "import WordsConfig\nfrom tasks.words.section import describe"
    )
    section = {"tasks/words/section.py": "def describe(folder):\n    return 1\n"}
    assert fingerprint(tmp_path / "shown", FILES | section | {"tasks/words/task.py": shown}) == before


@pytest.mark.parametrize("file", ["tasks/letters/task.py", "tasks/words/task.py"])
def test_two_stages_of_one_name_are_refused(before: str, tmp_path: Path, file: str) -> None:
    twice = STAGE + STAGE.partition("stage\n")[2] if file in FILES else STAGE
    with pytest.raises(ConfigError, match=r"count is a stage of tasks\.\w+\.task and of tasks\.words\.task"):
        fingerprint(tmp_path / "twice", FILES | {file: twice})
