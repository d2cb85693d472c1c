"""The child that reads Python: functions of a file, or what a completed function is. Standard library only, no import of ours.

Nothing is run. A text can bring the parser down (nesting exhausts its stack) or hold it for very long; then this process dies,
and not the stage. Protocol (tasks/processes/reader.py): JSON in both directions.
"""

import ast
import hashlib
import json
import resource
import signal
import sys
import warnings
from collections.abc import Iterator

MEMORY_BYTES = 2 << 30
FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


def functions(text: str, characters: int) -> list[list[str]]:
    """Prompt and body of each function with a docstring and a real body: together they are the function, from column 0.

    A prompt is the signature, without decorators, and the docstring, without the line's end; it has `characters` at most. A
    function that is written otherwise than line under line, or whose strings stand left of it, is left out.
    """
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    lines = text.split("\n")
    return [found for node in ast.walk(ast.parse(text)) if (found := _cut(node, lines, characters))]


def judge(text: str) -> dict[str, str | bool]:
    """Whether a text is a function, whether its body is real, and a digest of that, however it is laid out."""
    nothing: dict[str, str | bool] = {"syntax": False, "real": False, "body": ""}
    try:
        statements = ast.parse(text).body
    except FAULTS:
        return nothing
    if len(statements) != 1 or not isinstance(statements[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return nothing
    body = statements[0].body[1 if ast.get_docstring(statements[0], clean=False) is not None else 0 :]
    written = ast.unparse(ast.Module(body, []))
    digest = hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()
    return {"syntax": True, "real": _is_real(body), "body": digest}


def _is_real(body: list[ast.stmt]) -> bool:
    """Two statements at least, or a call: `pass`, `...` and strings are none."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    statements = sum(isinstance(node, ast.stmt) and not _is_empty(node) for node in nodes)
    return statements >= 2 or any(isinstance(node, ast.Call) for node in nodes)


def _is_empty(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _cut(node: ast.AST, lines: list[str], characters: int) -> list[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
        return []
    docstring, first = node.body[0], node.body[1]
    begin = getattr(first, "decorator_list", None) or [first]
    if ast.get_docstring(node) is None or docstring.end_lineno is None or node.end_lineno is None:
        return []
    if begin[0].lineno <= docstring.end_lineno or not _is_real(node.body[1:]):
        return []
    indent = lines[node.lineno - 1][: node.col_offset]
    cut = list(_dedented(lines[node.lineno - 1 : node.end_lineno], indent))
    if indent.strip() or None in cut:
        return []
    length = docstring.end_lineno - node.lineno + 1
    written = [line for line in cut if line is not None]
    prompt, body = "\n".join(written[:length]), "\n" + "\n".join(written[length:])
    fits = len(prompt) <= characters and prompt == prompt.rstrip()
    return [prompt, body] if fits and judge(prompt + body)["real"] else []


def _dedented(lines: list[str], indent: str) -> Iterator[str | None]:
    for line in lines:
        if line.startswith(indent):
            yield line[len(indent) :]
        else:
            yield None if line.strip() else ""


def _answer(asked: list[str | int]) -> object:
    """Asked is a text, and for functions the characters that a prompt has at most."""
    text, *characters = asked
    try:
        return functions(str(text), int(characters[0])) if characters else judge(str(text))
    except FAULTS:
        return None


def main(seconds: int) -> None:
    """Answer until the input ends. `seconds` of CPU time are given to one text; the signal's default is to end us."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # SyntaxWarning: an invalid escape in somebody's string.
    while head := sys.stdin.buffer.read(4):
        asked = json.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = json.dumps(_answer(asked)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
