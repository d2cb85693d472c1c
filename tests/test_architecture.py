"""The floors of the house, held by the tests as well as by `make check`."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

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


def test_a_room_of_infra_is_closed_to_domain_code_unless_it_is_named_here() -> None:
    """The contracts name the rooms one by one: a new one must not stay open because nobody thought of it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    protected = {module for contract in contracts for module in contract.get("protected_modules", ())}
    rooms = {f"infra.{path.stem}" for path in (ROOT / "infra").iterdir() if not path.name.startswith("__")}
    assert rooms - protected == {"infra.errors"}
    assert not any("ignore_imports" in contract for contract in contracts)


def test_no_module_is_imported_by_a_string() -> None:
    """import-linter sees import statements alone."""
    assert [shown(path) for path in MODULES if [*calls(path, "import_module", "__import__")]] == []


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


def calls(path: Path, *names: str) -> Iterator[ast.Call]:
    """Calls of functions of these names, whatever they are taken from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if called in names:
                yield node


def test_a_bar_is_drawn_on_a_terminal_alone_and_says_what_it_counts() -> None:
    """`disable=None` is tqdm's own: no bar where stderr is no terminal, so that a log has no carriage returns."""
    bars = [(shown(path), call) for path in MODULES for call in calls(path, "tqdm", "trange")]
    assert bars
    for where, bar in bars:
        given = {word.arg: word.value for word in bar.keywords}
        silent = given.get("disable")
        assert isinstance(silent, ast.Constant) and silent.value is None, f"{where}:{bar.lineno}"
        assert "desc" in given or len(bar.args) > 1, f"{where}:{bar.lineno}"


def test_a_model_answers_on_the_device_that_accelerate_chooses() -> None:
    """Batches are made by `pad`: whoever makes them asks tasks/models/device.py where they go, or is named here."""
    others = {
        "tasks/training/text_objective.py": "the loop, and tasks/compression/pruning/importance.py, move them",
    }
    makers = {
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "tasks.models.batching"
        and any(alias.name == "pad" for alias in node.names)
    }
    here = {path for path in makers if "tasks.models.device" in path.read_text()}
    assert {shown(path) for path in makers - here} == others.keys()
    assert {shown(path) for path in here} >= {
        "tasks/models/inference.py",
        "tasks/inference/pytorch.py",
        "tasks/compression/quantization/qat.py",
    }


def test_nothing_answers_without_gradients_on_a_device_of_its_own() -> None:
    """A `with` that infers names the device, unless it is about weights alone or the training's own batch."""
    others = {
        "tasks/inference/pytorch.py": "the model was moved when it was loaded",
        "tasks/training/loop/loop.py": "copies weights",
        "tasks/training/fine_tuning/probe.py": "sets weights",
        "tasks/models/gpt/cost.py": "the hidden states of a batch, where the model computed them",
        "tasks/compression/distillation/embedding_bag.py": "sets weights",
        "tasks/compression/distillation/language_model/objective.py": "the teacher, as in intermediate_losses",
        "tasks/training/masked_lm/keep.py": "the model before, on the device of the batch",
        "tasks/compression/distillation/intermediate_losses.py": "the teacher beside the student, on the device of its batch",
        "tasks/evaluation/latency/body.py": "is timed on the CPU",
        "tasks/compression/export/trace.py": "the exporter traces what was just read, on the CPU",
    }
    found = {
        shown(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.With)
        and (items := " ".join(ast.unparse(item) for item in node.items))
        and ("inference_mode(" in items or "no_grad(" in items)
        and "on_device(" not in items
    }
    assert found == others.keys()
