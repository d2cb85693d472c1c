"""Tokenizers side by side: every dot and line inside the frame, ours marked, names of data as text."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tasks.figures.svg import as_svg
from tasks.figures.tokenizers import draw_lengths, draw_tokens_per_byte
from tasks.formats.section import Figure
from tasks.formats.tokenizer_report import CutText, Example, MeasuredTokenizer, TextGroup, TokenizerReport

NAMES = ("ours", "12500", "gpt2", "<b>& a name that is longer than the others")
GROUPS = ("files", "org/unseen", "org/a-name-that-is-longer-than-there-is-room")


def cut(tokens_per_byte: float) -> CutText:
    others = dict.fromkeys(
        ("tokens_per_character", "fertility", "continued_words", "coverage", "vocabulary_used"), 1.0
    )
    return CutText(tokens=9, tokens_per_byte=tokens_per_byte, **others)


def report(values: list[list[float]], lengths: list[float]) -> TokenizerReport:
    total = sum(lengths)
    return TokenizerReport(
        groups=tuple(TextGroup(name=name, repository="/" in name, texts=1, bytes=9, characters=9, words=1) for name in GROUPS),
        typo_rate=0.1,
        example="",
        tokenizers=tuple(
            MeasuredTokenizer(
                name=name, vocabulary_size=9, groups=dict(zip(GROUPS, map(cut, row), strict=True)), typos={},
                not_given_back=0, keywords_missing=(), keywords_bare=(), keywords_in_line=(), indentations={},
                lengths=tuple(share / total for share in lengths), first=(), last=(), longest=(),
                example=Example(normalized="", words=(), tokens=()),
            )
            for name, row in zip(NAMES, values, strict=False)
        ),
    )  # fmt: skip


RATES = st.lists(st.floats(0.05, 2), min_size=len(GROUPS), max_size=len(GROUPS))
REPORTS = st.builds(
    report,
    st.lists(RATES, min_size=1, max_size=len(NAMES)),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=32),
)


@given(REPORTS)
def test_all_lies_inside_the_frame(made: TokenizerReport) -> None:
    dots, lines = draw_tokens_per_byte(made), draw_lengths(made)
    frame = dots.frame
    assert [row.name.label for row in dots.rows][:2] == ["files", "org/unseen"]
    for row in dots.rows:
        assert frame.top < row.y < frame.bottom
        assert all(frame.left < dot.x <= frame.right for dot in row.dots)
        assert row.dots[-1].mark == "ours"  # drawn last, over the others
    assert dots.legend[0].mark == "ours" and len({dot.mark for dot in dots.legend}) == len(made.tokenizers)
    for line in lines.lines:
        places = [tuple(map(float, point.split(","))) for point in line.points.split()]
        assert all(lines.frame.left <= x <= lines.frame.right for x, _ in places)
        heights = [y for _, y in places]
        assert heights == sorted(heights, reverse=True) and heights[-1] >= lines.frame.top
        assert lines.frame.top < line.name.at < lines.frame.bottom


def test_names_are_text_and_nothing_but_drawing() -> None:
    made = report([[0.2, 0.3, 0.4]] * 4, [0.5, 0.5])
    for kind, drawn in (
        ("tokens_per_byte", draw_tokens_per_byte(made)),
        ("token_lengths", draw_lengths(made)),
    ):
        svg = as_svg(kind, drawn)
        Figure(title="tokens", svg=svg)
        texts = [
            node.text for node in ElementTree.fromstring(svg).iter() if (node.text or "").startswith("<b>")
        ]
        assert texts and all(text is not None and text.endswith(("…", "byte")) for text in texts)
