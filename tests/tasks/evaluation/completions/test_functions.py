"""Functions are cut out of files and judged by a child that may die of them."""

from collections.abc import Iterator

import pytest

from tasks.evaluation.completions.functions import Reader

FILE = '''import os


def plain(a):
    """Twice."""
    b = 2 * a
    return b


class Thing:
    @property
    def size(self):
        """How many.

            Indented.
        """
        return len(self.all)

    def nothing(self):
        """Not real."""
        ...

    def constant(self):
        """One statement without a call."""
        return 1

    def left(self):
        """Its string stands left of it."""
        text = """
at the left
"""
        return f(text)

    def bare(self):
        return self.nothing()

    def inline(self): """On one line."""; return g()

    async def later(self, *, wait=1.0):
        """Decorated inside."""

        @wraps
        def inner():
            pass

        return inner
'''


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader(seconds=2) as reader:
        yield reader


def test_functions_with_docstring_and_real_body_are_cut_from_column_0(reader: Reader) -> None:
    found = {one.prompt.split("(")[0]: one for one in reader.functions(FILE, 99)}
    assert set(found) == {"def plain", "def size", "async def later"}
    assert found["def plain"] == ('def plain(a):\n    """Twice."""', "\n    b = 2 * a\n    return b")
    assert found["def size"].prompt == ('def size(self):\n    """How many.\n\n        Indented.\n    """')
    assert [one.prompt for one in reader.functions(FILE, 31)] == [found["def plain"].prompt]
    assert found["async def later"].body.startswith("\n\n    @wraps\n    def inner():")
    assert reader.functions(FILE.replace("\n", "\r\n"), 99) == reader.functions(FILE, 99)


@pytest.mark.parametrize(
    ("body", "syntax", "real"),
    [
        ("\n    return f(a)", True, True),
        ("\n    b = a\n    return b", True, True),
        ("\n    for b in a:\n        c = b", True, True),
        ("", True, False),
        ("\n    pass", True, False),
        ("\n    ...\n    pass\n    'words'", True, False),
        ("\n    return a", True, False),
        ("\n    return a +", False, False),
        ("\n  return a", False, False),
        ("\n    return f(a)\nx = 1", False, False),
        ("\n    return '\x00'", False, False),
    ],
)
def test_an_empty_body_is_python_and_not_real(reader: Reader, body: str, syntax: bool, real: bool) -> None:
    found = reader.judge("def f(a):\n    'Docstring.'" + body)
    assert (found.syntax, found.real) == (syntax, real)


def test_bodies_are_compared_however_they_are_laid_out(reader: Reader) -> None:
    first = reader.judge("def f(a):\n    'One.'\n    b = (a +\n      1)  # more\n\n    return b")
    second = reader.judge("def g():\n  'Two.'\n  b = a+1\n  return b")
    assert first.body == second.body != reader.judge("def f(a):\n    'One.'\n    return b, 1").body


def test_a_text_that_brings_the_parser_down_costs_itself_alone(reader: Reader) -> None:
    for deep in ("(" * 5000, "-" * 200_000 + "1", "a" + ".b" * 200_000):
        text = f"def f(a):\n    'Docstring.'\n    return {deep}"
        assert not reader.judge(text).real
        assert reader.functions(text, 99) == []
    assert reader.judge("def f(a):\n    return g(a)").real
