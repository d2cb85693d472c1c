"""What was measured of completions: `report.json`, and beside it the tokens of each one, in which copies are looked for."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value, read_value, write_value

TOKENS_FILE = "completions.json"


class CompletedRow(Named):
    """Who wrote completions, one of each prompt; shares are 0 to 1."""

    syntax: float = Field(description="share that is Python together with its prompt, whatever it holds")
    parsed: float = Field(description="share that is, with a real body: two statements at least, or a call")
    distinct: float = Field(description="share of different bodies among those")
    ended: float = Field(description="share that came to an end by itself, not at the most tokens")


class CompletedExample(Value):
    """A prompt, and what each made of it, by name."""

    prompt: str
    completions: dict[str, str]


class CompletionReport(Value):
    """`report.json`."""

    prompts: int = Field(description="signatures with their docstrings, of files held out")
    temperature: float
    rows: tuple[CompletedRow, ...]
    examples: tuple[CompletedExample, ...]


class CompletedTokens(Value):
    """`completions.json`: by name, the tokens of each completion in the tokenizer of the corpus."""

    tokens: dict[str, tuple[tuple[int, ...], ...]]


def read_completions(folder: Path) -> CompletionReport:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, CompletionReport)


def read_completed_tokens(folder: Path) -> CompletedTokens:
    """Raises ArtifactError when they are not there."""
    expected = "the tokens of completions. Run complete_prompts again."
    return read_value(folder / TOKENS_FILE, CompletedTokens, expected)


def write_completed_tokens(folder: Path, tokens: CompletedTokens) -> None:
    """Write `completions.json`."""
    write_value(folder / TOKENS_FILE, tokens)
