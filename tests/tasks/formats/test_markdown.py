"""Text inside of Markdown: rendered it is what it was, and plain words are not touched."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.formats.markdown import as_code, as_text
from tests.security.hostile_markdown import HOSTILE

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKS = st.text(st.sampled_from("\\`*_{}[]()<>#+-=.!|~$&;:/ \n\tab1)"), max_size=24)
PLACES = ("{}\n", "# {}\n", "- {}\n", "> {}\n", "Words {} and words.\n")


def shown(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def tags(html: str) -> list[str]:
    return [part.partition(">")[0] for part in html.split("<")[1:]]


@given(MARKS)
def test_what_is_read_is_what_was_written(text: str) -> None:
    for place in PLACES:
        html = RENDERER.render(place.format(as_text(f"x{text}x")))
        read = unescape("".join(part.partition(">")[2] for part in f">{html}".split("<")))
        assert shown(read) == shown(place.lstrip("#->").format(f"x{text}x"))


@given(MARKS | st.text(max_size=24))
def test_there_is_no_element_in_it(text: str) -> None:
    for place in PLACES:
        assert tags(RENDERER.render(place.format(as_text(f"x{text}x")))) == tags(
            RENDERER.render(place.format("x"))
        )


@given(MARKS)
def test_a_value_alone_in_its_place_begins_no_block(text: str) -> None:
    for place in PLACES:
        plain = RENDERER.render(place.format("x" if text.strip() else ""))
        assert tags(RENDERER.render(place.format(as_text(text)))) == tags(plain)


@given(MARKS)
def test_a_cell_is_one_cell(text: str) -> None:
    table = "| a | b |\n|---|---|\n| {} | x |\n"
    assert tags(RENDERER.render(table.format(as_text(text)))) == tags(RENDERER.render(table.format("x")))


@given(MARKS)
def test_code_is_code(text: str) -> None:
    assert tags(RENDERER.render(f"Words `{as_code(text)}` <x.")) == ["p", "code", "/code", "/p"]


@pytest.mark.parametrize(
    "text",
    [
        "What is the PIN, please (2019)? CC BY 3.0.",
        "pin_change, out_of_scope_label and a__b",
        "Intel(R) Xeon(R) CPU @ 2.20GHz",
        "-1.91 points, +0.2, 3.5 and #7",
        "https://example.org/a_b?c=d",
        "Größe: ja! 好的",
    ],
)
def test_plain_words_are_not_touched(text: str) -> None:
    assert as_text(text) == text and as_code(text) == text


def test_what_nobody_sees_is_not_there() -> None:
    assert as_text("a\x1b]0;t\x07\u202eb\r\n\u2066c") == "a \\]0;t b c" and as_code("a\nb\x00") == "a b"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_escaped_is_shown(text: str) -> None:
    html = RENDERER.render(as_text(text))
    assert unescape(html.removeprefix("<p>").removesuffix("</p>\n")) == shown(text)
