"""Every stage of the house in one process: flows that never meet in one share a store all the same."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.stage_versions import DECORATORS, Code

ROOT = Path(__file__).parents[3]


def modules_of_stages() -> list[str]:
    """Dotted names of the modules under `tasks/` that make a stage or an action."""
    found = []
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        calls = [one.func for node in functions for one in node.decorator_list if isinstance(one, ast.Call)]
        if any(isinstance(call, ast.Name) and call.id in DECORATORS for call in calls):
            found.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


def test_all_stages_of_the_house_can_be_imported_in_one_process() -> None:
    modules = modules_of_stages()
    assert "tasks.compression.distillation.stages" in modules
    done = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_stage_has_a_name_of_its_own() -> None:
    assert {"distill", "distill_bag", "publish_dataset"} <= Code(ROOT).stages().keys()
