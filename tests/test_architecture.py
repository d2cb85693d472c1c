"""The floors of the house, held by the tests as well as by `make check`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
FLOORS = ("flows", "tasks", "infra")
LONGEST_MODULE = 300
LONGEST_FUNCTION = 70
VAGUE_NAMES = {"utils", "util", "helpers", "common", "base", "misc"}

MODULES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_import_contracts_hold() -> None:
    # In a process of its own: it sets up logging anew, which would silence the loggers of later tests.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_flows_and_wrappers_import_a_stage_wrapper() -> None:
    graph = grimp.build_graph(*FLOORS)
    wrappers = {
        module for module in graph.modules if module.startswith("tasks.") and module.endswith(".task")
    }
    assert wrappers
    for wrapper in wrappers:
        importers = graph.find_modules_that_directly_import(wrapper)
        assert all(importer.startswith("flows.") for importer in importers), f"{wrapper} <- {importers}"


def test_package_files_are_empty() -> None:
    assert [shown(path) for path in MODULES if path.name == "__init__.py" and path.read_text().strip()] == []


def test_every_folder_of_modules_is_a_package() -> None:
    assert [shown(path) for path in MODULES if not (path.parent / "__init__.py").is_file()] == []


def test_modules_are_short() -> None:
    long = {
        shown(path): lines for path in MODULES if (lines := path.read_text().count("\n")) >= LONGEST_MODULE
    }
    assert long == {}


def test_functions_fit_on_a_screen() -> None:
    long = {
        f"{shown(path)}:{function.name}": lines
        for path in MODULES
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def test_modules_are_named_after_what_they_hold() -> None:
    assert [
        shown(path) for path in MODULES if VAGUE_NAMES & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ] == []


def test_tests_mirror_the_source() -> None:
    """A folder of tests stands for a package: a package that moves takes its tests along."""
    folders = {
        path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests" / "tasks").rglob("test_*.py")
    }
    assert [folder.as_posix() for folder in folders if not (ROOT / folder).is_dir()] == []


def test_nothing_is_loaded_that_can_run_code() -> None:
    """torch.load unpickles, and trust_remote_code runs a repository's own Python: neither belongs here."""
    forbidden = ("torch.load(", "trust_remote_code=True", "import pickle", "import joblib", "joblib.load(")
    found = [(shown(path), text) for path in MODULES for text in forbidden if text in path.read_text()]
    assert found == []
