"""What a tokenizer of code has to show: what it learned, and how it cuts texts that it has not seen, beside others."""

from collections.abc import Callable
from pathlib import Path

from tasks.formats.section import Cell, Column, Fact, Figure, Passage, Piece, Section, Table
from tasks.formats.tokenizer_report import (
    CutText,
    ExampleToken,
    MeasuredTokenizer,
    TokenizerReport,
    read_learned,
    read_tokenizer_report,
)

FIGURES: tuple[tuple[str, Callable[[CutText], float]], ...] = (
    ("tokens a byte", lambda cut: cut.tokens_per_byte),
    ("tokens a character", lambda cut: cut.tokens_per_character),
    ("fertility, tokens a word", lambda cut: cut.fertility),
    ("share of words cut into several tokens", lambda cut: cut.continued_words),
    ("share of bytes in tokens of two bytes or more", lambda cut: cut.coverage),
    ("share of the vocabulary that occurs", lambda cut: cut.vocabulary_used),
)
SEEN = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"})


def learned_section(folder: Path) -> Section:
    """Its size, what it learned from, and some of its tokens."""
    learned = read_learned(folder)
    shown = zip(learned.first, learned.last, learned.longest, strict=True)
    columns = [
        Column(name=name, heading=f"{name} tokens", code=True) for name in ("first", "last", "longest")
    ]
    return Section(
        title="Tokenizer",
        facts=(
            Fact(label="vocabulary", value=learned.vocabulary_size, unit="tokens"),
            Fact(label="learned from", value=learned.bytes, unit="bytes"),
            Fact(label="files", value=learned.texts),
        ),
        tables=(
            Table(
                title="Some of its tokens",
                columns=tuple(columns),
                rows=tuple(dict(zip(("first", "last", "longest"), row, strict=True)) for row in shown),
                folded=True,
            ),
        ),
    )


def measured_section(folder: Path) -> Section:
    """Every figure of every tokenizer, on the repositories that nothing was read of before all others."""
    from tasks.figures.svg import as_svg
    from tasks.figures.tokenizers import draw_lengths, draw_tokens_per_byte

    report = read_tokenizer_report(folder)
    return Section(
        title="Tokenizers on unseen code",
        lines=_lines(report),
        tables=(_groups(report), _figures(report), _python(report), *_vocabularies(report), *_bytes(report)),
        notes=(
            f"Typos: a letter swapped, left out or doubled in {report.typo_rate:.0%} of the words of four letters or more. "
            "A word is a run of letters, digits and underscores, or another character.",
        ),
        passages=tuple(_passage(one, report.example) for one in report.tokenizers),
        figures=(
            Figure(title="Tokens a byte", svg=as_svg("tokens_per_byte", draw_tokens_per_byte(report))),
            Figure(
                title="How long the tokens of the text are", svg=as_svg("token_lengths", draw_lengths(report))
            ),
        ),
    )


def _lines(report: TokenizerReport) -> tuple[str, ...]:
    ours, *others = report.tokenizers
    on = (
        f"{len(report.unseen)} repositories that nothing was read of"
        if report.groups[-1].repository
        else "the test files"
    )
    return tuple(
        f"On {on}, {ours.name} has {report.against(ours, other):.3f} tokens for each of {other.name}."
        for other in others
    )


def _columns(report: TokenizerReport, first: str, places: int | None = None) -> tuple[Column, ...]:
    named = (Column(name=one.name, heading=one.name, places=places) for one in report.tokenizers)
    return (Column(name="of", heading=first), *named)


def _groups(report: TokenizerReport) -> Table:
    ours, *others = report.tokenizers
    ratios = tuple(
        Column(name=f"for {one.name}", heading=f"for one of {one.name}", places=3) for one in others
    )
    sizes = (Column(name="texts", heading="files"), Column(name="bytes", heading="bytes", minor=True))
    rows = [
        {"of": group.name, "texts": group.texts, "bytes": group.bytes}
        | {one.name: one.groups[group.name].tokens_per_byte for one in report.tokenizers}
        | {
            f"for {one.name}": ours.groups[group.name].tokens / one.groups[group.name].tokens
            for one in others
        }
        for group in report.groups
    ]
    of, *tokenizers = _columns(report, "texts", 4)
    return Table(title="Tokens a byte", columns=(of, *sizes, *tokenizers, *ratios), rows=tuple(rows))


def _figures(report: TokenizerReport) -> Table:
    """The mean of the unseen repositories, as they are and with typos."""

    def row(
        label: str, of: Callable[[MeasuredTokenizer], dict[str, CutText]], figure: Callable[[CutText], float]
    ) -> dict[str, Cell]:
        means = {
            one.name: sum(figure(of(one)[name]) for name in report.unseen) / len(report.unseen)
            for one in report.tokenizers
        }
        return {"of": label, **means}

    rows = [row(label, lambda one: one.groups, figure) for label, figure in FIGURES]
    rows += [row(f"{label}, with typos", lambda one: one.typos, figure) for label, figure in FIGURES[:4]]
    sizes: dict[str, Cell] = {one.name: one.vocabulary_size for one in report.tokenizers}
    return Table(
        title="The same, mean of the unseen repositories",
        columns=_columns(report, "figure"),
        rows=({"of": "vocabulary, tokens", **sizes}, *rows),
    )


def _python(report: TokenizerReport) -> Table:
    """Keywords, indentations and what does not come back."""

    def row(label: str, told: Callable[[MeasuredTokenizer], Cell]) -> dict[str, Cell]:
        return {"of": label, **{one.name: told(one) for one in report.tokenizers}}

    rows = [
        row("keywords that are a token in no form", lambda one: ", ".join(one.keywords_missing) or "none"),
        row("at the start of a line", lambda one: ", ".join(one.keywords_bare) or "none"),
        row("after a blank", lambda one: ", ".join(one.keywords_in_line) or "none"),
        *(
            {
                "of": f"tokens of a newline and {blanks} blanks",
                **{one.name: str(one.indentations[blanks]) for one in report.tokenizers},
            }
            for blanks in report.tokenizers[0].indentations
        ),
        row("texts that do not come back the same", lambda one: str(one.not_given_back)),
    ]
    return Table(title="Python", columns=_columns(report, ""), rows=tuple(rows))


def _vocabularies(report: TokenizerReport) -> list[Table]:
    return [
        Table(
            title=f"{name.capitalize()} tokens",
            columns=tuple(Column(name=one.name, heading=one.name, code=True) for one in report.tokenizers),
            rows=tuple(
                {one.name: shown for one, shown in zip(report.tokenizers, row, strict=True)}
                for row in zip(*(getattr(one, name) for one in report.tokenizers), strict=False)
            ),
            folded=True,
        )
        for name in ("first", "last", "longest")
    ]


def _passage(one: MeasuredTokenizer, text: str) -> Passage:
    """The example in tokens, with their ids over them; where words end, a seam."""
    pieces = tuple(
        Piece(text=_token(token, text), over=str(token.id), joined=bool(place))
        for place, token in enumerate(one.example.tokens)
    )
    return Passage(title=f"The example by {one.name}, {len(pieces)} tokens", pieces=pieces)


def _bytes(report: TokenizerReport) -> list[Table]:
    """The example step by step: its pre-tokens, then each token with its characters and bytes."""
    names = ("pre-token", "token", "id", "from", "to", "bytes")
    tables = []
    for one in report.tokenizers:
        words = [word.translate(SEEN) for word in one.example.words]
        tokens = one.example.tokens
        rows: list[dict[str, Cell]] = [
            {
                "pre-token": word,
                "token": token.token,
                "id": token.id,
                "from": token.start,
                "to": token.end,
                "bytes": token.bytes,
            }
            for token, word in zip(tokens, _words_of(tokens, one.example.words, words), strict=True)
        ]
        same = (
            "the normaliser changes nothing"
            if one.example.normalized == report.example
            else f"normalised: {one.example.normalized.translate(SEEN)}"
        )
        columns = tuple(
            Column(name=name, heading=name, code=name in ("pre-token", "token", "bytes")) for name in names
        )
        tables.append(
            Table(
                title=f"The example by {one.name}, step by step ({same})",
                columns=columns,
                rows=tuple(rows),
                folded=True,
            )
        )
    return tables


def _words_of(tokens: tuple[ExampleToken, ...], words: tuple[str, ...], shown: list[str]) -> list[str]:
    """The pre-token of each token, at the first of its tokens alone."""
    starts, at = {}, 0
    for word, written in zip(words, shown, strict=True):
        starts[at], at = written, at + len(word)
    return [starts.pop(token.start, "") for token in tokens]


def _token(token: ExampleToken, text: str) -> str:
    raw = bytes.fromhex(token.bytes)
    try:
        return raw.decode().translate(SEEN)
    except UnicodeDecodeError:
        return f"‹{token.bytes}›"
