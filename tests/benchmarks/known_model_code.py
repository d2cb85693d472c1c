"""The solution in what a chat model wrote: the code of its block, without the tests that it adds of its own accord.

Published figures are made so (EvalPlus, `sanitize`: the definitions that the entry point may need). A block that was cut
off in the middle counts as far as it is Python.
"""

import ast

FENCE = "```"
KEPT = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


def solution_of(answer: str) -> str:
    """Imports, definitions and assignments of an answer that was begun with the head of a block.

    All of it where it is no Python.
    """
    code = answer.partition(FENCE)[0]
    lines = code.splitlines()
    for end in range(len(lines), 0, -1):
        try:
            tree = ast.parse("\n".join(lines[:end]))
        except (SyntaxError, ValueError):
            continue
        kept = [ast.unparse(statement) for statement in tree.body if isinstance(statement, KEPT)]
        return "\n\n".join(kept) + "\n"
    return code
