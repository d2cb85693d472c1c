"""Fingerprints of what each stage computes and each versioned action makes: no change of code without a new version.

    python -m tests.stage_versions            compare with tests/stage_versions.json
    python -m tests.stage_versions --write    accept: raise `version` in @stage first, if the stage's results change

A fingerprint is over the stage's own function and every module under `tasks/` that it imports, directly or not, as
syntax: comments, docstrings and layout do not count; templates beside them do.
"""

import ast
import hashlib
import json
import sys
from pathlib import Path

from pydantic import BaseModel

ROOT = Path(__file__).parent.parent
LOCK = Path(__file__).with_suffix(".json")


class StageVersion(BaseModel):
    """A stage as it stands."""

    version: int
    fingerprint: str


def current() -> dict[str, StageVersion]:
    """Version and fingerprint of every stage."""
    found = {}
    for path in sorted(ROOT.glob("tasks/*/task.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (version := _version(node)) is not None:
                found[node.name] = StageVersion(version=version, fingerprint=_fingerprint(node, path))
    return found


def recorded() -> dict[str, StageVersion]:
    """The same as it was accepted last."""
    return {name: StageVersion(**value) for name, value in json.loads(LOCK.read_text()).items()}


def silent_changes() -> list[str]:
    """Stages whose code changed while their version stayed."""
    before, now = recorded(), current()
    return [name for name in now if name not in before or (before[name] != now[name])]


def _version(function: ast.FunctionDef) -> int | None:
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Name)
            and decorator.func.id in {"stage", "action"}
        ):
            versions = [ast.literal_eval(word.value) for word in decorator.keywords if word.arg == "version"]
            return int(versions[0]) if versions else None
    return None


def _fingerprint(function: ast.FunctionDef, path: Path) -> str:
    digest = hashlib.sha256(_syntax(function).encode())
    waiting, seen = _imports(function) | {"tasks." + path.parent.name + ".config"}, set[str]()
    while waiting:
        module = waiting.pop()
        file = ROOT / (module.replace(".", "/") + ".py")
        if module in seen or not file.is_file():
            continue
        seen.add(module)
        waiting |= _imports(ast.parse(file.read_text()))
    for module in sorted(seen):
        file = ROOT / (module.replace(".", "/") + ".py")
        digest.update(f"{module}\n{_syntax(ast.parse(file.read_text()))}".encode())
    for template in sorted({found for module in seen for found in _templates(module)}):
        digest.update(f"{template.relative_to(ROOT)}\n{template.read_text()}".encode())
    return digest.hexdigest()[:16]


def _templates(module: str) -> list[Path]:
    return list((ROOT / module.replace(".", "/")).parent.glob("templates/*"))


def _imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tasks"):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("tasks")}
    return names


def _syntax(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:]  # type: ignore[attr-defined]
    return ast.dump(tree)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        LOCK.write_text(
            json.dumps({name: value.model_dump() for name, value in current().items()}, indent=2) + "\n"
        )
    else:
        print("\n".join(silent_changes()) or "every stage is as it was accepted")
