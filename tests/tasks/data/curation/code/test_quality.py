"""Quality: each mark moves it the way that its name says, and the ends are what one would call good and bad."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.curation.code.quality import (
    Traits,
    has_test,
    is_test,
    names_with_tests,
    quality_of,
    traits_of,
)
from tasks.formats.code_tokens import QUALITIES

GOOD = Traits(lines=200, comments=20, definitions=10, docstrings=10, warned=False)
TEXT = '''"""What it is for."""


class Shelf:  # of books
    """Holds them."""

    # In order.
    async def read(self, book: str = ":") -> str:
        r\'\'\'Give a book.\'\'\'
        return "def no" + book

    def empty(self):
        return ":" and \'\'\'text\'\'\'
'''


def test_traits_are_counted_by_what_begins_a_line_and_what_follows_a_colon() -> None:
    assert traits_of(TEXT, warned=True) == Traits(
        lines=13, comments=1, definitions=3, docstrings=2, warned=True
    )
    assert traits_of("x = 1", warned=False).lines == traits_of("x = 1\n", warned=False).lines == 1


def test_a_documented_tested_licensed_file_is_high_and_a_bare_test_is_low() -> None:
    assert quality_of(GOOD, "shelf/books.py", "mit", 1, tested=True) == "high"
    bare = Traits(lines=200, comments=0, definitions=20, docstrings=0, warned=False)
    assert quality_of(bare, "shelf/books.py", "mit", 1, tested=True) == "medium"
    assert quality_of(bare, "tests/test_books.py", "mit", 1, tested=False) == "low"


@given(
    lines=st.integers(1, 10_000),
    comments=st.integers(0, 500),
    definitions=st.integers(0, 300),
    docstrings=st.integers(0, 300),
    copies=st.integers(0, 100_000),
)
def test_what_speaks_for_a_file_never_makes_it_worse(
    lines: int, comments: int, definitions: int, docstrings: int, copies: int
) -> None:
    def rank(tested: bool, license: str, copies: int, warned: bool, docstrings: int) -> int:
        traits = Traits(lines, comments, definitions, docstrings, warned)
        return QUALITIES.index(quality_of(traits, "a/b.py", license, copies, tested))

    base = rank(False, "", copies, True, docstrings)
    assert rank(True, "", copies, True, docstrings) >= base
    assert rank(False, "mit", copies, True, docstrings) >= base
    assert rank(False, "", copies * 2, True, docstrings) >= base
    assert rank(False, "", copies, False, docstrings) >= base
    assert rank(False, "", copies, True, docstrings + 5) >= base


@pytest.mark.parametrize(
    "path", ["test_a.py", "src/a_test.py", "tests/data.py", "a/Testing/b.py", "conftest.py"]
)
def test_tests_are_told_by_their_path(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["a.py", "latest/a.py", "contest.py", "attest_a.py"])
def test_other_files_are_no_tests(path: str) -> None:
    assert not is_test(path)


def test_a_test_belongs_to_the_module_of_its_name_in_its_repository() -> None:
    tests = names_with_tests([("one", "tests/test_shelf.py"), ("one", "book_test.py"), ("two", "shelf.py")])
    assert all(
        has_test(tests, "one", path) for path in ("a/shelf.py", "a/_shelf.py", "shelf/__init__.py", "book.py")
    )
    assert not has_test(tests, "two", "shelf.py") and not has_test(tests, "one", "shelves.py")
    assert not has_test(names_with_tests([]), "one", "shelf.py")
