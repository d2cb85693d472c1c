"""Text at the terminal: what is said of it stays, what would steer it is shown."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from infra.machine.terminal import Terminal, one_line, stack_trace, visible


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("where is my parcel?", "where is my parcel?"),
        ("été 日本語 🙂 👩\u200d🔬", "été 日本語 🙂 👩\u200d🔬"),
        ("a\x1b]0;x\x07b", r"a\x1b]0;x\x07b"),
        ("a\x9bb\x7f", r"a\x9bb\x7f"),
        ("t\u202evsc.x", r"t\u202evsc.x"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("a\u2028b", r"a\u2028b"),
        ("a\udcffb", r"a\udcffb"),
    ],
)
def test_control_characters_are_shown_and_letters_left_alone(given: str, shown: str) -> None:
    assert visible(given) == shown


@given(st.text())
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_lines_are_kept_where_they_are_the_caller_s() -> None:
    assert visible("a\nb\x1b", lines=True) == "a\nb\\x1b"
    assert one_line("a\n", ("b\r", "bold")).plain == r"a\nb\r"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "60")
    made = Terminal(soft_wrap=False)
    made.file = io.StringIO()
    return made


def printed(terminal: Terminal, what: object) -> str:
    terminal.print(what)
    assert isinstance(terminal.file, io.StringIO)
    return terminal.file.getvalue()


def test_a_string_is_no_markup(terminal: Terminal) -> None:
    assert printed(terminal, "[bold]x[/y] :warning: 12\x07") == "[bold]x[/y] :warning: 12\\x07\n"


def test_text_that_others_put_together_is_looked_at_too(terminal: Terminal) -> None:
    assert printed(terminal, Text("a\x1b[2J")) == "a\\x1b[2J\n"


def test_cells_of_a_table_are_text(terminal: Terminal) -> None:
    table = Table("model")
    table.add_row("[red]\x1b[31mreleased")
    assert r"[red]\x1b[31mreleased" in printed(terminal, table)


def test_the_words_of_a_defect_are_shown() -> None:
    error = ValueError("\x1b[2J")
    assert stack_trace(ValueError, error, None).splitlines()[-1] == r"ValueError: \x1b[2J"
