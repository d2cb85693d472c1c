"""What a corpus of code consists of, and what was taken out of it: `corpus_report.json` beside `corpus.json`."""

from pathlib import Path

from pydantic import Field

from tasks.formats.value import Value, read_value

CORPUS_REPORT_FILE = "corpus_report.json"


class Contaminated(Value):
    """A file that went because it shares words with a problem that models are evaluated on."""

    place: str = Field(description="repository/path")
    problem: str
    words: str = Field(description="those that it shares, the first of them")


class Copies(Value):
    """Files that went because another says the same."""

    exact: int = Field(description="equal but for blanks")
    near: int = Field(description="with nearly the same words")
    across: int = Field(description="of both, those whose like is in another split, which is held out")


class Redacted(Value):
    """What was replaced in the files of the corpus."""

    files: int
    secrets: int
    addresses: int


class CorpusReport(Value):
    """What the files of a corpus are, all splits together unless it says so."""

    repositories: dict[str, int] = Field(description="files of the largest repositories, the largest first")
    sizes: dict[str, int] = Field(description="files by their bytes")
    languages: dict[str, int] = Field(
        description="files by the language of their comments, the commonest first"
    )
    qualities: dict[str, dict[str, int]] = Field(description="files of each quality, by split")
    tests: int = Field(description="files that are tests")
    copies: Copies
    redacted: Redacted
    problems: dict[str, int] = Field(
        description="files of train and validation that went for each problem that models are evaluated on"
    )
    contaminated: tuple[Contaminated, ...] = Field(description="the first of these files")


def read_corpus_report(folder: Path) -> CorpusReport:
    """Read `corpus_report.json`; raises ArtifactError when it is not there."""
    return read_value(folder / CORPUS_REPORT_FILE, CorpusReport, "a corpus of code. Run curate_code again.")
