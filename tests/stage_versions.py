"""Fingerprints of what each stage computes and each versioned action makes: no change of code without a new version.

    python -m tests.stage_versions            compare with tests/stage_versions.json
    python -m tests.stage_versions --write    accept: raise `version` in @stage first, if the stage's results change

A fingerprint is over the set of top-level definitions (functions, classes, constants) under `tasks/` that the stage's
function reaches through names, imports and modules that it runs, each as syntax. Comments, docstrings, layout, imports
and the names and paths of our own modules are no part of it, also in a message: code that moves to another file keeps every
fingerprint. Templates count where a definition names them. What a stage only shows (`section` and `reads` of @stage) does not
count.
"""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from infra.errors import ConfigError

ROOT = Path(__file__).parent.parent
LOCK = Path(__file__).with_suffix(".json")
DECORATORS = {"stage", "action"}
SHOWN = {
    "section",
    "reads",
}  # words of @stage: what the report shows of an artifact is no part of what made it
OWN_MODULE = "a module of ours"
KINDS = "tasks.formats.kinds"  # a kind of reference is a name: what has it is another definition's to say


class StageVersion(BaseModel):
    """A stage as it stands."""

    version: int
    fingerprint: str


@dataclass(frozen=True)
class Definition:
    """A top-level definition of a module: its name there."""

    module: str
    name: str


@dataclass
class Module:
    """A file of code: its definitions by name, what else runs at its import, and what its imports bring in."""

    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, Definition | str] = field(default_factory=dict)


class Code:
    """The modules of a floor under `root`, read when they are reached."""

    def __init__(self, root: Path, floor: str = "tasks") -> None:
        self.root, self.floor = root, floor
        self.module, self.needs, self.syntax = map(
            lru_cache(maxsize=None), (self._module, self._needs, self._syntax)
        )

    def stages(self) -> dict[str, StageVersion]:
        """Version and fingerprint of every stage and versioned action, wherever it is defined.

        Raises ConfigError when two have one name.
        """
        found: dict[str, StageVersion] = {}
        homes: dict[str, str] = {}
        for path in sorted((self.root / self.floor).rglob("*.py")):
            name = ".".join(path.relative_to(self.root).with_suffix("").parts)
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and (version := _version(node)) is not None:
                    if node.name in found:
                        raise ConfigError(
                            f"{node.name} is a stage of {homes[node.name]} and of {name}: expected a name for each, "
                            "because artifacts are kept under it. Rename one."
                        )
                    homes[node.name] = name
                    fingerprint = self.fingerprint(Definition(name, node.name))
                    found[node.name] = StageVersion(version=version, fingerprint=fingerprint)
        return found

    def fingerprint(self, start: Definition) -> str:
        """Digest of everything that a definition reaches, itself included."""
        syntax = {text for reached in self.reached(start) for text in self.syntax(reached)}
        return hashlib.sha256("\n".join(sorted(syntax)).encode()).hexdigest()[:16]

    def reached(self, start: Definition) -> set[Definition]:
        """The definitions that one reaches, itself included."""
        waiting, seen = [start], set[Definition]()
        while waiting:
            if (one := waiting.pop()) not in seen and one.module != KINDS:
                seen.add(one)
                waiting += self.needs(one)
        return seen

    def _needs(self, one: Definition) -> tuple[Definition, ...]:
        return tuple(self._needed(one))

    def _needed(self, one: Definition) -> Iterator[Definition]:
        module = self.module(one.module)
        for node in (*module.definitions[one.name], *module.effects):
            known = module.imports | self._imports(node)
            for used in _used(node):
                head, *rest = used.split(".")
                if head in module.definitions:
                    yield Definition(one.module, head)
                elif head in known:
                    yield from self._imported(known[head], rest)
            for text in _texts(node):
                if self._is_module(text):
                    yield from self._whole(text)

    def _imported(self, what: Definition | str, rest: list[str]) -> Iterator[Definition]:
        if isinstance(what, Definition):
            submodule = f"{what.module}.{what.name}"
            if not self._is_module(submodule):
                if what.name in (module := self.module(what.module)).definitions:
                    yield what
                elif what.name in module.imports:
                    yield from self._imported(module.imports[what.name], rest)
                else:  # Defined inside a condition.
                    yield from self._whole(what.module)
                return
            what = submodule
        while rest and self._is_module(f"{what}.{rest[0]}"):
            what, rest = f"{what}.{rest[0]}", rest[1:]
        if rest and rest[0] in self.module(what).definitions:
            yield Definition(what, rest[0])
        elif not rest:
            yield from self._whole(what)

    def _whole(self, module: str) -> Iterator[Definition]:
        return (Definition(module, name) for name in self.module(module).definitions)

    def _syntax(self, one: Definition) -> tuple[str, ...]:
        module = self.module(one.module)
        templates = {path.name: path.read_text() for path in module.path.parent.glob("templates/*")}
        nodes = [ast.parse(ast.unparse(node)) for node in (*module.definitions[one.name], *module.effects)]
        named = {text for node in nodes for text in _texts(node)} & templates.keys()
        while more := {
            name for name in templates.keys() - named if any(name in templates[text] for text in named)
        }:
            named |= more  # Included by another one.
        bare = (ast.unparse(_Bare(self).visit(node)) for node in nodes)
        return (*bare, *(f"{name}\n{templates[name]}" for name in named))

    def _module(self, name: str) -> Module:
        path = self.root / (name.replace(".", "/") + ".py")
        module = Module(path)
        if path.is_file():
            for node in ast.parse(path.read_text()).body:
                self._take(module, _computed(node))
        return module

    def _take(self, module: Module, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= self._imports(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.definitions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                module.definitions.setdefault(name, []).append(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                self._take(module, inner)
        elif not _is_docstring(node):
            module.imports |= self._imports(node)
            module.effects.append(node)

    def _imports(self, tree: ast.AST) -> dict[str, Definition | str]:
        """What the import statements inside bring in, by the name that it has there."""
        found: dict[str, Definition | str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and self._is_ours(node.module):
                found |= {
                    alias.asname or alias.name: Definition(str(node.module), alias.name)
                    for alias in node.names
                }
            elif isinstance(node, ast.Import):
                ours = [alias for alias in node.names if self._is_ours(alias.name)]
                found |= {
                    alias.asname or self.floor: alias.name if alias.asname else self.floor for alias in ours
                }
        return found

    def _is_ours(self, module: str | None) -> bool:
        return module is not None and module.split(".")[0] == self.floor

    def _is_module(self, text: str) -> bool:
        """Whether a text is the dotted name of a module or package of this floor."""
        if not self._is_ours(text) or not all(part.isidentifier() for part in text.split(".")):
            return False
        path = self.root / text.replace(".", "/")
        return path.with_suffix(".py").is_file() or path.is_dir()


class _Bare(ast.NodeTransformer):
    """A definition without its docstrings, imports and names of our own modules."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            bare = [one for one in body if not isinstance(one, ast.Import | ast.ImportFrom)]
            node.body = bare[1:] if bare and _is_docstring(bare[0]) else bare  # type: ignore[attr-defined]
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if not isinstance(node.value, str):
            return node
        if self.code._is_module(node.value):
            return ast.Constant(OWN_MODULE)
        return ast.Constant(re.sub(rf"\b{self.code.floor}(?:/\w+)+(?:\.py\b)?", OWN_MODULE, node.value))


def current() -> dict[str, StageVersion]:
    """Version and fingerprint of every stage."""
    return Code(ROOT).stages()


def recorded() -> dict[str, StageVersion]:
    """The same as it was accepted last."""
    return {name: StageVersion(**value) for name, value in json.loads(LOCK.read_text()).items()}


def silent_changes() -> list[str]:
    """Stages whose code changed while their version stayed."""
    before, now = recorded(), current()
    return [name for name in now if name not in before or (before[name] != now[name])]


def _computed(node: ast.stmt) -> ast.stmt:
    """A definition as far as it computes something: a stage without what it shows."""
    for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Name)
            and decorator.func.id in DECORATORS
        ):
            decorator.keywords = [word for word in decorator.keywords if word.arg not in SHOWN]
    return node


def _version(function: ast.FunctionDef) -> int | None:
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Name)
            and decorator.func.id in DECORATORS
        ):
            versions = [ast.literal_eval(word.value) for word in decorator.keywords if word.arg == "version"]
            return int(versions[0]) if versions else None
    return None


def _used(tree: ast.AST) -> set[str]:
    """Names that are used, each with the attributes that are taken of it: `tfidf.fit_baseline`."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    chains = (_chain(node) for node in ast.walk(tree) if id(node) not in inner)
    return {chain for chain in chains if chain}


def _chain(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := _chain(node.value)):
        return f"{head}.{node.attr}"
    return ""


def _texts(tree: ast.AST) -> Iterator[str]:
    return (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def accepted(stages: Mapping[str, StageVersion]) -> str:
    """The text of the file of stage versions."""
    return json.dumps({name: stages[name].model_dump() for name in sorted(stages)}, indent=2) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        LOCK.write_text(accepted(current()))
    else:
        changed = silent_changes()
        print("\n".join(changed) or "every stage is as it was accepted")
        sys.exit(1 if changed else 0)
