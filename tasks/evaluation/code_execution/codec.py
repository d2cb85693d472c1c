"""Values on a pipe between the test and the generated code: plain values, never objects. (Runs inside the sandbox.)

What arrives is rebuilt here from text, so nothing of the sender's comes along: no class, no `__eq__`, no code. A value of a
subclass (a Counter, a named tuple, a list that equals everything) is sent as the plain value that it holds.
"""

import json
import os
from typing import Any

LONGEST = 16 * 2**20  # bytes of a message: who sends more sends nothing
_HEAD = 4
_SEVERAL: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class NotPlain(Exception):
    """A value that is neither None, a bool, a number, text, bytes, nor a list, tuple, set or dict of such."""


def encode(value: Any) -> Any:
    """A plain value as JSON that tells its type: what JSON has not (tuples, sets, complex, nan, any key) is kept.

    Raises NotPlain.
    """
    try:
        return _encode(value)
    except RecursionError:
        raise NotPlain(f"a {type(value).__name__} that is too deep, or holds itself") from None


def _encode(value: Any) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return ["int", int.__format__(value, "x")]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, bytes):
        return ["bytes", bytes.hex(value)]
    if isinstance(value, dict):
        return ["dict", [[_encode(key), _encode(held)] for key, held in dict.items(value)]]
    for name, kind in _SEVERAL.items():
        if isinstance(value, kind):
            return [name, [_encode(one) for one in kind.__iter__(value)]]
    raise NotPlain(f"a {type(value).__name__}")


def decode(message: Any) -> Any:
    """The value that `encode` told of. Raises NotPlain for anything that it does not write."""
    try:
        return _decode(message)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotPlain(f"a damaged value: {error}") from None


def _decode(message: Any) -> Any:
    if message is None or message is True or message is False or isinstance(message, str):
        return message
    if not isinstance(message, list):
        raise NotPlain(f"a damaged value: a bare {type(message).__name__}")
    match message:
        case ["int", str(text)]:
            return int(text, 16)
        case ["float", str(text)]:
            return float.fromhex(text)
        case ["complex", str(real), str(imaginary)]:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case ["bytes", str(text)]:
            return bytes.fromhex(text)
        case ["dict", list(pairs)]:
            return {_decode(key): _decode(held) for key, held in pairs}
        case [("list" | "tuple" | "set" | "frozenset") as kind, list(held)]:
            return _SEVERAL[kind]([_decode(one) for one in held])
    raise NotPlain("a damaged value: of no known type")


def send(pipe: int, message: Any) -> None:
    """Write one message. Raises NotPlain when it is too long, OSError when nobody reads."""
    data = json.dumps(message).encode()
    if len(data) > LONGEST:
        raise NotPlain(f"a value of {len(data)} bytes: at most {LONGEST}")
    rest = memoryview(len(data).to_bytes(_HEAD, "big") + data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> Any:
    """Read one message. Raises EOFError at the end, NotPlain for what is no message."""
    length = int.from_bytes(_read(pipe, _HEAD), "big")
    if length > LONGEST:
        raise NotPlain(f"a message of {length} bytes: at most {LONGEST}")
    try:
        return json.loads(_read(pipe, length))
    except (ValueError, RecursionError) as error:
        raise NotPlain(f"a damaged message: {type(error).__name__}") from None


def _read(pipe: int, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = os.read(pipe, min(length - len(found), 2**16))
        if not part:
            raise EOFError
        found += part
    return bytes(found)


def parse(data: bytes) -> list[Any]:
    """All whole messages in these bytes."""
    found = []
    while len(data) >= _HEAD and len(data) >= (end := _HEAD + int.from_bytes(data[:_HEAD], "big")):
        found.append(json.loads(data[_HEAD:end]))
        data = data[end:]
    return found
