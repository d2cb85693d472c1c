"""What the evaluation of causal language models has to show: bits a byte of what they have not read."""

from pathlib import Path

from tasks.formats.causal_lm_report import CausalLmEvaluation, MeasuredCausalLm, read_causal_lm_evaluation
from tasks.formats.section import Cell, Column, Section, Table

MEAN = "mean of unseen repositories"
COSTS = (
    Column(name="part", heading="text"),
    Column(name="tokens", heading="tokens"),
    Column(name="bits_per_byte", heading="bits a byte", places=3, meter=True),
    Column(name="sliding", heading="sliding windows", places=3),
    Column(name="perplexity", heading="perplexity of a token", places=2),
)
QUALITY = (
    Column(name="said", heading="every file is said to be of quality"),
    Column(name="bits_per_byte", heading="bits a byte", places=4),
)


def causal_lm_section(folder: Path) -> Section:
    """A table a model, and what it makes of a file's quality."""
    found = read_causal_lm_evaluation(folder)
    return Section(
        title="On text that was held out",
        tables=tuple(table for model in found.models for table in (_costs(found, model), *_qualities(model))),
        notes=(
            f"Windows of {found.context:,} tokens. Cut ones begin without what came before, as in training; sliding ones "
            "overlap by half, and only their latter half counts. Of a repository that gives a row its name nothing was read; "
            "files are single files of repositories that were read otherwise.",
        ),
    )


def _costs(found: CausalLmEvaluation, model: MeasuredCausalLm) -> Table:
    rows: list[dict[str, Cell]] = [
        {"part": part, "tokens": found.tokens[part], **cost.model_dump()}
        for part, cost in model.parts.items()
    ]
    if model.mean is not None:
        rows.append({"part": MEAN, "bits_per_byte": model.mean})
    return Table(title=model.name, columns=COSTS, rows=tuple(rows), strong=(MEAN,))


def _qualities(model: MeasuredCausalLm) -> tuple[Table, ...]:
    """None where there was too little text to ask."""
    rows: tuple[dict[str, Cell], ...] = tuple(
        {"said": said, "bits_per_byte": cost} for said, cost in model.by_quality.items()
    )
    title = f"{model.name}: does it heed the quality?"
    return (Table(title=title, columns=QUALITY, rows=rows, folded=True),) if rows else ()
