"""What completions have to show: who writes Python, and some of it."""

from pathlib import Path

from tasks.formats.completion_report import read_completions
from tasks.formats.section import Column, Listing, Section, Table

COLUMNS = (
    Column(name="name", heading="who"),
    Column(name="parsed", heading="parse, with a real body", places=3, meter=True),
    Column(name="distinct", heading="of these, different bodies", places=3),
    Column(name="syntax", heading="parse, whatever they hold", places=3, minor=True),
    Column(name="ended", heading="ended by themselves", places=3, minor=True),
)


def completion_section(folder: Path) -> Section:
    """A row for whoever completes, and a listing for each of some prompts."""
    found = read_completions(folder)
    rows = tuple(row.model_dump() for row in found.rows)
    last = found.rows[-1].name
    listings = tuple(
        Listing(
            title=f"Completed: {example.prompt.splitlines()[0]}",
            text="\n\n".join(
                f"# {name}\n{example.prompt}{text}" for name, text in example.completions.items()
            ),
            folded=True,
        )
        for example in found.examples
    )
    return Section(
        title="Completions",
        tables=(Table(columns=COLUMNS, rows=rows, soft=(last,)),),
        notes=(
            f"{found.prompts:,} functions of held-out files, completed from signature and docstring at a temperature of "
            f"{found.temperature:g}. A real body has two statements at least, or a call; nothing is run. Bodies are compared "
            "however they are laid out.",
        ),
        listings=listings,
    )
