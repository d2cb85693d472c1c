"""What the evaluation of masked language models has to show: perplexities, and the fills side by side."""

from pathlib import Path

from tasks.formats.lm_report import read_lm_evaluation
from tasks.formats.section import Cell, Column, Section, Table

COLUMNS = (
    Column(name="name", heading="model"),
    Column(name="perplexity", heading="perplexity", places=2),
    Column(name="loss", heading="nats a token", places=3),
    Column(name="parameters", heading="parameters", minor=True),
    Column(name="layer_parameters", heading="in the layers", minor=True),
)


def lm_section(folder: Path) -> Section:
    """A row a model, and a table of fills for each text."""
    found = read_lm_evaluation(folder)
    rows = tuple(model.model_dump(include={column.name for column in COLUMNS}) for model in found.models)
    fills = []
    for place, first in enumerate(found.models[0].filled):
        columns = tuple(Column(name=model.name, heading=model.name) for model in found.models)
        beside: list[dict[str, Cell]] = [
            {
                model.name: f"{model.filled[place].fills[rank].token} ({model.filled[place].fills[rank].probability:.2f})"
                for model in found.models
            }
            for rank in range(len(first.fills))
        ]
        fills.append(Table(columns=columns, rows=tuple(beside), title=first.text, narrow=True))
    return Section(
        title="Masked language models",
        tables=(Table(columns=COLUMNS, rows=rows), *fills),
        notes=(
            f"On {found.hidden:,} hidden tokens of {found.documents:,} texts of the test split, the same for each.",
        ),
    )
