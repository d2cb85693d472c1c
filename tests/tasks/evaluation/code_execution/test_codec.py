"""What passes between the test and the generated code: plain values, whole, and nothing else."""

import os
from collections import Counter, OrderedDict, namedtuple
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.evaluation.code_execution.codec import LONGEST, NotPlain, decode, encode, parse, receive, send

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def over_a_pipe(message: Any) -> Any:
    out, into = os.pipe()
    try:
        send(into, message)
        return receive(out)
    finally:
        os.close(out)
        os.close(into)


def with_types(value: Any) -> Any:
    """1, 1.0 and True are equal: told apart."""
    if isinstance(value, dict):
        return dict, [(with_types(key), with_types(held)) for key, held in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), frozenset(map(with_types, value))
    if isinstance(value, list | tuple):
        return type(value), tuple(map(with_types, value))
    return type(value), value


@settings(max_examples=50)
@given(VALUES)
def test_a_plain_value_arrives_as_it_was(value: Any) -> None:
    assert with_types(decode(over_a_pipe(encode(value)))) == with_types(value)


@settings(max_examples=40)
@given(JUNK)
def test_what_encode_does_not_write_is_refused_or_plain(message: Any) -> None:
    try:
        decoded = decode(message)
    except NotPlain:
        return
    assert decode(encode(decoded)) == decoded or decoded != decoded


class Fooling(list):  # type: ignore[type-arg]
    def __eq__(self, other: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter("not what it holds")


def test_of_a_subclass_the_plain_value_that_it_holds_arrives() -> None:
    point = namedtuple("point", "x y")(1, 2)
    for value, plain in (
        (Fooling([1]), [1]),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (point, (1, 2)),
    ):
        arrived = decode(over_a_pipe(encode(value)))
        assert arrived == plain and type(arrived) is type(plain)


@pytest.mark.parametrize(
    "value", [object(), Fraction(1, 2), range(3), iter([1]), [1, {2: print}], bytearray(1)]
)
def test_an_object_is_refused(value: object) -> None:
    with pytest.raises(NotPlain):
        encode(value)


def test_a_value_that_holds_itself_or_is_very_deep_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        with pytest.raises(NotPlain, match="too deep"):
            encode(value)
    while deep:  # Taken down by hand: Python would take it down by recursion.
        deep = deep[0]


@pytest.mark.parametrize(
    "written", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01x", b"\x00\x00\x00\x04" + b"[" * 4]
)
def test_a_damaged_message_is_refused(written: bytes) -> None:
    out, into = os.pipe()
    os.write(into, written)
    os.close(into)
    with pytest.raises(NotPlain):
        receive(out)
    os.close(out)


def test_an_end_in_the_middle_is_an_end() -> None:
    out, into = os.pipe()
    os.write(into, b"\x00\x00\x00\x09[1")
    os.close(into)
    with pytest.raises(EOFError):
        receive(out)
    os.close(out)
    assert parse(b"\x00\x00\x00\x03[1]\x00\x00\x00\x09[1") == [[1]]


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(NotPlain, match="at most"):
        send(-1, "x" * LONGEST)
