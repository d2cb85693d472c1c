"""What the search for copies has to show: completions beside held-out texts."""

from pathlib import Path

from tasks.formats.memorisation_report import read_memorisation
from tasks.formats.section import Column, Section, Table


def memorisation_section(folder: Path) -> Section:
    """A row an origin."""
    found = read_memorisation(folder)
    columns = (
        Column(name="name", heading="texts of"),
        Column(name="longest", heading="longest run", unit="tokens"),
        Column(name="long_runs", heading=f"with a run of {found.run} tokens", places=3, meter=True),
        Column(name="copied", heading="of their tokens, in such runs", places=3),
        Column(name="texts", heading="texts", minor=True),
        Column(name="tokens", heading="tokens", minor=True),
    )
    return Section(
        title="Memorisation",
        tables=(Table(columns=columns, rows=tuple(one.model_dump() for one in found.origins)),),
        notes=(
            f"Runs of tokens that stand word for word in the {found.tokens:,} tokens that were trained on. Files of the test "
            "split say how much of a text is copied by people.",
        ),
    )
