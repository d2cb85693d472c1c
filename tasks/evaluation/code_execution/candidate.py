"""The process that generated code runs in: it loads a program, then answers calls. (Runs inside the sandbox.)

Nothing that it says is believed but as what the program claims to return: the test runs in another process.
"""

import json
import os
import sys
from types import CodeType, ModuleType
from typing import Any

from tasks.evaluation.code_execution.codec import NotPlain, decode, encode, receive, send
from tasks.evaluation.code_execution.limits import set_limits

MODULE = "solution"
SAID = 300  # characters of an error's message


def main() -> None:
    """Standard input has the requests, standard output takes the answers; the program gets neither."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)  # What the program prints goes where errors go: a reader outside counts it.
    set_limits(json.loads(sys.argv[1]))
    send(answers, {"ready": True})
    asked = receive(requests)
    try:
        code = compile(asked["program"], f"<{MODULE}>", "exec", dont_inherit=True)
    except Exception as error:  # A ValueError too, and what too many brackets raise.
        send(answers, told(error, "syntax"))
        return
    try:
        function = load(code, asked["entry_point"])
    except BaseException as error:  # SystemExit too: a program that ends itself has not passed.
        send(answers, told(error, "exception"))
        return
    send(answers, {"loaded": True})
    while True:
        try:
            call = receive(requests)
        except EOFError:
            return
        answer(answers, function, decode(call["args"]), decode(call["kwargs"]))


def load(code: CodeType, entry_point: str) -> Any:
    """Run the program as a module of its own, and give its function. Raises whatever the program does."""
    module = ModuleType(MODULE)
    sys.modules[MODULE] = module
    exec(code, module.__dict__)
    return getattr(module, entry_point)


def answer(answers: int, function: Any, args: Any, kwargs: Any) -> None:
    """Call the function once and send what it returns, or raises."""
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        send(answers, told(error, "exception"))
        return
    try:
        send(answers, {"value": encode(value)})
    except (NotPlain, MemoryError, RecursionError) as error:
        send(answers, told(error, "no plain value"))


def told(error: BaseException, otherwise: str) -> dict[str, str]:
    """An error as a reason, the name of its class and its words."""
    reason = "memory" if type(error) is MemoryError and otherwise != "syntax" else otherwise
    try:
        said = str(error)[:SAID]
    except BaseException:  # Generated code may define `__str__`, too.
        said = ""
    return {"reason": reason, "class": type(error).__name__, "said": said}


if __name__ == "__main__":
    main()
