"""The child that parses: reads texts from stdin, answers one byte for each. Standard library only, no import of ours.

A text can bring the parser down (nesting exhausts its stack) or hold it for very long; then this process dies, and not
the stage. Protocol (tasks/processes/reader.py): the UTF-8 text in; `y` (it parses), `w` (it does, with a warning) or `n` out.
"""

import ast
import gc
import resource
import signal
import sys
import warnings

MEMORY_BYTES = 2 << 30


def main(seconds: int) -> None:
    """Answer until the input ends. `seconds` of CPU time are given to one text; the signal's default is to end us."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # trees have no circles, and looking for some in them takes longer than to parse
    while head := sys.stdin.buffer.read(4):
        content = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        text = content.decode("utf-8-sig")  # a byte order mark is no syntax
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            with warnings.catch_warnings(
                record=True
            ) as said:  # such as an invalid escape in somebody's string
                warnings.simplefilter("always")
                ast.parse(text)
            answer = b"w" if said else b"y"
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            answer = b"n"
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
