"""Values that would be markup in a card, and what a real Markdown renderer makes of a card."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

# One for each thing that Markdown, as the Hub writes it, has.
HOSTILE = (
    "![t](https://evil.example/x.png)",
    "[your account](https://evil.example)",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "<script>alert(1)</script>",
    "<img src=https://evil.example/x.png>",
    "&#60;b&#62;",
    "# heading",
    "***",
    "---",
    "- - item",
    "+ item",
    "7) item",
    "=",
    "> quoted",
    "*so* _much_ __stress__ ~~here~~",
    "`` ` `` `code` ```",
    "~~~",
    "a | b | c",
    "\\[a](b) \\![c](d) \\| \\",
)
# With lines of their own: what a file beside a table may say, and no label can.
LINES = (
    "said\n\n# heading\n\n- item\n",
    "a\n===\n",
    "a\r\n\r\n    code\r\n",
    "\x1b]0;title\x07 \u202ereversed",
)
PLAIN = "plain words"


def elements(card: Path | str) -> Counter[str]:
    """What a card is made of once it is rendered: elements by name, headings by what they say."""
    text = card.read_text(encoding="utf-8") if isinstance(card, Path) else card
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    found: Counter[str] = Counter()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    for token in tokens:
        found.update(_named(token))
    titles = (after.content for at, after in pairwise(tokens) if (at.type, at.tag) == ("heading_open", "h2"))
    found.update(f"section {title}" for title in titles)
    return found


def _named(token: Token) -> list[str]:
    return [
        f"{token.type} {token.tag}",
        *(f"{child.type} {child.tag}" for child in token.children or () if not child.type.startswith("text")),
    ]
