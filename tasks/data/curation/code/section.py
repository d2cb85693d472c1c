"""What the curation of code has to show: what the corpus consists of, drawn, and then each step with what it took."""

from pathlib import Path

from tasks.data.curation.section import curation_section
from tasks.figures.bars import bar_figure
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.corpus import CorpusInfo, load_corpus
from tasks.formats.corpus_report import CorpusReport, read_corpus_report
from tasks.formats.section import Column, Fact, Section, Table

SPLITS = (
    Column(name="split", heading="split"),
    Column(name="files", heading="files"),
    Column(name="mb", heading="text", unit="MB", places=1),
    Column(name="repositories", heading="repositories"),
    *(Column(name=quality, heading=f"{quality} quality") for quality in reversed(QUALITIES)),
)
CONTAMINATED = (
    Column(name="place", heading="file"),
    Column(name="problem", heading="problem"),
    Column(name="words", heading="words that both have", code=True),
)


def corpus_section(folder: Path) -> Section:
    """Splits, what the files are, what was taken out of them; steps and examples as curation of texts shows them."""
    steps, info, report = curation_section(folder), load_corpus(folder), read_corpus_report(folder)
    split = Table(columns=SPLITS, rows=tuple(_row(info, report, name) for name in info.rows))
    contaminated = Table(
        title="Files with a problem that models are evaluated on, which are not learned from",
        columns=CONTAMINATED,
        rows=tuple(one.model_dump() for one in report.contaminated),
        folded=True,
    )
    figures = (
        bar_figure("Licences", info.licenses, "files under each licence"),
        bar_figure("Sizes", report.sizes, "files of each size"),
        bar_figure("Languages of comments", report.languages, "files by the language of their comments"),
        bar_figure("Largest repositories", report.repositories, "files of each repository"),
    )
    return steps.model_copy(
        update={
            "title": "Corpus",
            "lines": (*steps.lines, *_held_out(info)),
            "facts": _facts(info, report),
            "tables": (split, *steps.tables, *((contaminated,) if contaminated.rows else ())),
            "figures": figures,
        }
    )


def _row(info: CorpusInfo, report: CorpusReport, split: str) -> dict[str, str | int | float | None]:
    numbers = {
        "files": info.rows[split],
        "mb": info.bytes[split] / 1e6,
        "repositories": info.repositories[split],
    }
    return {"split": split, **numbers, **report.qualities.get(split, {})}


def _held_out(info: CorpusInfo) -> tuple[str, ...]:
    whole = f"In test as a whole: {', '.join(info.held_out)}." if info.held_out else ""
    single = (
        f"{info.file_share:.2%} of the other files each are in validation and test, one by one."
        if info.file_share
        else ""
    )
    return tuple(line for line in (whole, single) if line)


def _facts(info: CorpusInfo, report: CorpusReport) -> tuple[Fact, ...]:
    files, copies, redacted = sum(info.rows.values()), report.copies, report.redacted
    return (
        Fact(label="files", value=files),
        Fact(label="text", value=sum(info.bytes.values()) / 1e6, unit="MB", places=1),
        Fact(label="tests", value=100 * report.tests / files, unit="%", places=1, hint="files that are tests"),
        Fact(label="copies dropped", value=copies.exact + copies.near,
             hint=f"{copies.exact:,} equal but for blanks, {copies.near:,} nearly; {copies.across:,} of what is held out"),
        Fact(label="personal data replaced", value=redacted.secrets + redacted.addresses,
             hint=f"{redacted.secrets:,} secrets and {redacted.addresses:,} addresses in {redacted.files:,} files"),
        Fact(label="contaminated", value=sum(report.problems.values()),
             hint=f"files dropped for {len(report.problems)} problems that models are evaluated on"),
    )  # fmt: skip
