"""A completion ends where the block ends that its prompt opened, to the character."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.generation.completion.block import end_of_block, logical_lines

PROMPT = "def add(a, b):\n    '''Sum.'''"


def cut(prompt: str, completion: str) -> str | None:
    end = end_of_block(prompt + completion, len(prompt))
    return None if end is None else (prompt + completion)[len(prompt) : end]


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("\n    return a + b\n\n\ndef other():\n    pass\n", "\n    return a + b"),
        ("\n    return a + b\nx", "\n    return a + b"),
        (
            "\n    c = a\n# not yet\n    return c\n\n# of the next\ny = 1",
            "\n    c = a\n# not yet\n    return c",
        ),
        ("\n    c = a\n    # inside\n\nz", "\n    c = a\n    # inside"),
        ("\n    return f(a,\nb)\nclass C", "\n    return f(a,\nb)"),
        ('\n    x = """\nat the left\n"""\n    return x\nq', '\n    x = """\nat the left\n"""\n    return x'),
        ("\n    return '# no comment'  # one\ny", "\n    return '# no comment'  # one"),
        ("\n    if a:\n        return b\n    return a\n@d", "\n    if a:\n        return b\n    return a"),
        ("\n    a = 1 + \\\n2\n    b = a\nx", "\n    a = 1 + \\\n2\n    b = a"),
        ("\n    for x in a:\n        y = x\n  z = 2", "\n    for x in a:\n        y = x"),
        ("\nnothing = 1", ""),
        ("\n", None),
        ("\n    return a", None),
        ("\n    return a\n\n", None),
        ("\n    return a\n# a comment alone ends nothing\n", None),
        ('\n    x = """\nnever closed\ndef f', None),
    ],
)
def test_a_function_ends_before_what_is_indented_less(completion: str, kept: str | None) -> None:
    assert cut(PROMPT, completion) == kept


def test_the_innermost_open_block_counts() -> None:
    assert cut("def f():\n    for x in y:", "\n        g(x)\n    return 1\n") == "\n        g(x)"
    closed = "def f():\n    if x:\n        g()\n    y ="
    assert cut(closed, " 1\n    return y\nz") == " 1\n    return y"
    assert cut("def f(a,", " b):\n    return a\nz") == " b):\n    return a"
    assert cut("class C:\n    def f(self):\n        x = {1:", " 2}\n        return x\n    def g") is not None


def test_a_prompt_that_opens_no_block_has_no_end() -> None:
    assert cut("x = 1", "\ny = 2\nz = 3") is None
    assert cut("x = {'a':", " 2}\ny = f(x[1:])\n") is None


def test_tabs_are_eight_columns() -> None:
    assert cut("def f():\n\tx = 1", "\n        y = 2\n    z = 3") == "\n        y = 2"


texts = st.text(alphabet="ab:#'\"\\()[]\n \t=", max_size=60)


@settings(max_examples=30)
@given(texts, texts)
def test_any_text_is_read_to_its_end_and_cut_inside(prompt: str, completion: str) -> None:
    lines = list(logical_lines(prompt + completion))
    assert all(line.begin < line.end for line in lines)
    assert all(first.end <= second.begin for first, second in pairwise(lines))
    end = end_of_block(prompt + completion, len(prompt))
    assert end is None or len(prompt) <= end <= len(prompt + completion)


def test_a_cut_function_is_the_one_that_python_reads() -> None:
    source = Path(ast.__file__).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.lineno > 400:
            continue
        written = ast.get_source_segment(source, node)
        assert written is not None
        start = source.index(written)
        header = source.index("\n", source.index(":\n", start)) - start
        kept = cut(source[start : start + header], source[start + header :])
        assert kept is not None and ast.dump(ast.parse(written)) == ast.dump(
            ast.parse(source[start : start + header] + kept)
        )
