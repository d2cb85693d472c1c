"""What a run of `flows.distill_lm` comes to, ahead of its stages: what the student keeps, and what it costs less."""

from collections.abc import Mapping

from tasks.formats.section import Cell, Column, Fact, Section, Table, show
from tasks.reporting.distill_summary import STUDENT, TEACHER, Distilled, DistilledRow
from tasks.reporting.html import Headline, Tile

KEPT = 0.97  # of the teacher's score: what DistilBERT's authors say of theirs (Sanh et al. 2019)
MILLION = 1e6
READ = (
    "Perplexity is on the hidden tokens of the test split, the same for each. The panel is the mean accuracy over labelled "
    "sets after the same fine-tuning; an interval needs several draws of labelled rows, which only the first three models got. "
    "Latencies are of the body alone, without tokenizer and head."
)


def row_of(found: Distilled, name: str) -> DistilledRow:
    """One model's row."""
    return next(row for row in found.rows if row.name == name)


def distill_headline(found: Distilled) -> Headline:
    """Whether the student keeps 97% of its teacher's panel for sure and is above the undistilled; sizes and times."""
    teacher, student = (row_of(found, name) for name in (TEACHER, STUDENT))
    above = student.over_undistilled_interval is not None and student.over_undistilled_interval[0] > 0
    keeps = (student.retained_for_sure or 0) >= KEPT
    verdict, mark = "Not measured on a panel", "unsure"
    if student.panel is not None:
        verdict = f"Keeps {percent(student.retained)} of its teacher's panel"
        mark = "pass" if keeps and above else "unsure" if above or keeps else "fail"
    fewer = 1 - student.parameters / teacher.parameters
    of_layers = 1 - student.layer_parameters / max(1, teacher.layer_parameters)
    tiles = [
        Tile(
            percent(student.retained),
            "of the teacher's panel",
            f"for sure {percent(student.retained_for_sure)}",
        ),
        Tile(percent(fewer), "fewer parameters", f"of the layers alone {percent(of_layers)}"),
        Tile(show(student.perplexity, 1), "perplexity", f"{show(teacher.perplexity, 1)} of the teacher"),
    ]
    tiles += [
        Tile(f"{ratio:.2f}x", "as fast", f"rows at once: {size}")
        for size, ratio in (student.speedup_by_batch or {}).items()
    ]
    return Headline(verdict, mark, lead=_lead(student, above), tiles=tuple(tiles))


def _lead(student: DistilledRow, above: bool) -> str:
    if student.over_undistilled is None:
        return "There were no rows with labels to fine-tune on."
    between = student.over_undistilled_interval
    told = "" if between is None else f" [{100 * between[0]:+.1f}, {100 * between[1]:+.1f}]"
    sure = "above it for sure" if above else "which may be chance"
    return f"{100 * student.over_undistilled:+.1f} points{told} over the undistilled student, {sure}."


def percent(share: float | None) -> str:
    """A share as it is read; a dash where it was not measured."""
    return "–" if share is None else f"{100 * share:.1f}%"


def models_table(found: Distilled) -> Table:
    """A row a model."""
    sizes = sorted({size for row in found.rows for size in row.latency_by_batch_ms or {}})
    columns = (
        Column(name="name", heading="model"),
        Column(name="perplexity", heading="perplexity", places=2),
        Column(name="panel", heading="panel", places=3),
        Column(name="retained", heading="of the teacher's", minor=True),
        Column(name="over", heading="over undistilled"),
        Column(name="parameters", heading="parameters", unit="M", places=2),
        Column(name="layers", heading="of the layers", unit="M", places=2, minor=True),
        *(
            Column(name=f"ms {size}", heading=f"{size} at once", unit="ms", places=1, minor=size != sizes[0])
            for size in sizes
        ),
    )
    return Table(columns=columns, rows=tuple(_cells(row) for row in found.rows), strong=(STUDENT,))


def _cells(row: DistilledRow) -> dict[str, Cell]:
    over, between = row.over_undistilled, row.over_undistilled_interval
    told = None if over is None else f"{100 * over:+.1f}"
    if told and between:
        told += f" [{100 * between[0]:+.1f}, {100 * between[1]:+.1f}]"
    latencies: Mapping[int, float] = row.latency_by_batch_ms or {}
    return {
        "name": row.name,
        "perplexity": row.perplexity,
        "panel": row.panel,
        "retained": percent(row.retained),
        "over": told,
        "parameters": row.parameters / MILLION,
        "layers": row.layer_parameters / MILLION,
        **{f"ms {size}": latency for size, latency in latencies.items()},
    }


def distill_section(found: Distilled) -> Section:
    """The table, and the checkpoint by its name in the store."""
    return Section(
        title="Teacher and student",
        facts=(Fact(label="checkpoint", value=found.checkpoint),),
        tables=(models_table(found),),
        notes=(READ,),
    )
