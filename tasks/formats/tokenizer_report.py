"""Tokenizers of code: `learned.json` beside one says what it learned from, `report.json` how several cut unseen texts."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value, read_value

OURS, REFERENCE = (
    "ours",
    "gpt2",
)  # what a flow calls the corpus' own tokenizer, and the one it is compared with


LEARNED_FILE = "learned.json"


class LearnedTokenizer(Value):
    """`learned.json` beside a tokenizer."""

    vocabulary_size: int = Field(description="tokens, special tokens included")
    asked_size: int
    words: str = Field(
        description="what its tokens do not reach across: a name of tasks/tokenizers/code/config.py"
    )
    pattern: str = Field(description="the regular expression of these words")
    texts: int = Field(description="files that it learned from")
    bytes: int = Field(description="of them, UTF-8")
    first: tuple[str, ...] = Field(description="tokens of the lowest ids but special ones and single bytes")
    last: tuple[str, ...] = Field(description="tokens of the highest ids")
    longest: tuple[str, ...]


class TextGroup(Named):
    """Texts that are measured together: files of the test split, or a repository that nothing was read of."""

    repository: bool = Field(description="whether it is a repository that is held out whole")
    texts: int
    bytes: int = Field(description="UTF-8")
    characters: int
    words: int = Field(
        description="runs of letters, digits and `_`, and other characters but blanks one by one"
    )


class CutText(Value):
    """A group as one tokenizer cuts it (fertility, continued words: Rust et al. 2021, section 3)."""

    tokens: int
    tokens_per_byte: float
    tokens_per_character: float
    fertility: float = Field(description="tokens a word; below 1 where a token holds several")
    continued_words: float = Field(description="share of words in which more than one token ends")
    coverage: float = Field(description="share of the bytes that lie in tokens of more than one byte")
    vocabulary_used: float = Field(description="share of the vocabulary that occurs")


class ExampleToken(Value):
    """A token of the example: the characters that it holds something of, from `start` to before `end`, and its bytes."""

    id: int
    token: str = Field(description="as the vocabulary has it")
    start: int
    end: int
    bytes: str = Field(description="hexadecimal")


class Example(Value):
    """A text on its way through a tokenizer."""

    normalized: str
    words: tuple[str, ...] = Field(description="pre-tokens: no token reaches from one into the next")
    tokens: tuple[ExampleToken, ...]


class MeasuredTokenizer(Named):
    """What one tokenizer does. Groups are by name."""

    vocabulary_size: int
    groups: dict[str, CutText]
    typos: dict[str, CutText] = Field(description="the same texts with slips of the keyboard")
    not_given_back: int = Field(description="texts that are not what their tokens decode to")
    keywords_missing: tuple[str, ...] = Field(description="keywords of Python that are a token in no form")
    keywords_bare: tuple[str, ...] = Field(description="those that are several tokens at the start of a line")
    keywords_in_line: tuple[str, ...] = Field(description="those that are several tokens after a blank")
    indentations: dict[int, int] = Field(
        description="tokens of a newline and so many blanks, but for the blank that goes with the word behind them"
    )
    lengths: tuple[float, ...] = Field(
        description="share of all bytes that lie in tokens of 1, 2, ... bytes; the last: of as many or more"
    )
    first: tuple[str, ...] = Field(description="tokens of the lowest ids but special ones and single bytes")
    last: tuple[str, ...] = Field(description="tokens of the highest ids")
    longest: tuple[str, ...]
    example: Example

    def tokens(self, names: tuple[str, ...]) -> int:
        """Tokens of several groups."""
        return sum(self.groups[name].tokens for name in names)


class TokenizerReport(Value):
    """The tokenizers side by side, the corpus' own first."""

    groups: tuple[TextGroup, ...]
    typo_rate: float = Field(description="share of words of at least four letters that have a slip")
    example: str
    tokenizers: tuple[MeasuredTokenizer, ...] = Field(min_length=1)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The repositories that nothing was read of; where none was held out, all groups."""
        return tuple(group.name for group in self.groups if group.repository) or tuple(
            group.name for group in self.groups
        )

    def tokens_per_byte(self, measured: MeasuredTokenizer) -> float:
        """Of all bytes of the unseen repositories."""
        return measured.tokens(self.unseen) / sum(
            group.bytes for group in self.groups if group.name in self.unseen
        )

    def against(self, measured: MeasuredTokenizer, reference: MeasuredTokenizer) -> float:
        """Tokens of one tokenizer for one token of another, on the unseen repositories."""
        return measured.tokens(self.unseen) / reference.tokens(self.unseen)

    def metrics(self) -> dict[str, float]:
        """The main figures as flat names; a tokenizer's own name is at the end."""
        flat: dict[str, float] = {}
        for one in self.tokenizers:
            flat[f"tokens_per_byte_{one.name}"] = self.tokens_per_byte(one)
            flat[f"keywords_missing_{one.name}"] = len(one.keywords_missing)
            flat[f"not_given_back_{one.name}"] = one.not_given_back
            if one.name == REFERENCE:
                flat["tokens_against_reference"] = self.against(self.tokenizers[0], one)
        return flat


def read_learned(folder: Path) -> LearnedTokenizer:
    """Read `learned.json`; raises ArtifactError when it is not there."""
    expected = "a tokenizer that was learned from a corpus. Run train_code_tokenizer again."
    return read_value(folder / LEARNED_FILE, LearnedTokenizer, expected)


def read_tokenizer_report(folder: Path) -> TokenizerReport:
    """Read `report.json`; raises ArtifactError when it is not there."""
    return read_report(folder, TokenizerReport)
