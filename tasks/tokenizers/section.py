"""What a tokenizer has to show: the base model's figures against the student's on held-out text."""

from pathlib import Path

from tasks.formats.model_facts import read_json
from tasks.formats.section import Column, Section, Table, show, words

FILE = "measurements.json"


def tokenizer_section(folder: Path) -> Section:
    """A row a figure, before and after, and how much stayed the same."""
    measured = read_json(folder / FILE)
    before, after = measured["before"], measured["after"]
    columns = (
        Column(name="figure", heading=f"on {measured['texts']:,} {measured['split']} texts"),
        Column(name="before", heading="base model's"),
        Column(name="after", heading="student's"),
    )
    rows = tuple(
        {"figure": words(name), "before": value, "after": after.get(name)} for name, value in before.items()
    )
    kept = ((measured["unchanged_texts"], "of the texts are cut into the very same tokens"),
            (measured["coverage"], "of the base tokenizer's tokens are kept"))  # fmt: skip
    said = "; ".join(f"{show(100 * share, 1, '%')} {what}" for share, what in kept if share is not None)
    return Section(
        title=f"Tokenizer ({measured['mode']})",
        tables=(Table(columns=columns, rows=rows, narrow=True),),
        notes=(f"{said}.",) if said else (),
    )
