"""What the comparison of encoders has to show: accuracies at each number of labels, and which encoder to take."""

from collections.abc import Callable
from pathlib import Path

from tasks.formats.encoder_comparison import ComparedEncoder, EncoderComparison, read_comparison
from tasks.formats.panel_report import PanelRow, read_panel
from tasks.formats.section import Cell, Column, Figure, Section, Table

TAKEN = (
    Column(name="labels", heading="with so many labels"),
    Column(name="take", heading="take"),
    Column(name="because", heading="because"),
)


def comparison_section(folder: Path) -> Section:
    """A row an encoder, a column a number of labels; what to take; what each was made from; a line an encoder."""
    found = read_comparison(folder)
    figures = _figures(found)
    return Section(
        title="Classifiers from each encoder",
        tables=tuple(_tables(found)),
        notes=_notes(found) + ((_how_to_read(found),) if figures else ()),
        figures=figures,
    )


def _figures(found: EncoderComparison) -> tuple[Figure, ...]:
    from tasks.figures.encoders import draw_encoders
    from tasks.figures.svg import as_svg

    drawn = draw_encoders(found.encoders)
    if drawn is None:
        return ()
    return (Figure(title="Accuracy against the number of labelled rows", svg=as_svg("encoders", drawn)),)


def _how_to_read(found: EncoderComparison) -> str:
    return (
        f"Drawn is the mean of the seeds; a bar, or the band of {found.encoders[0].name} (dashed), goes from the lowest of "
        "them to the highest."
    )


def _tables(found: EncoderComparison) -> list[Table]:
    sizes = sorted({one.labels for one in found.encoders})
    names = list(dict.fromkeys(one.name for one in found.encoders))
    by_place = {(one.name, one.labels): one for one in found.encoders}
    name = Column(name="name", heading="encoder")
    sized = [Column(name=str(size), heading=f"{size:,} labels") for size in sizes]

    def rows_of(names: list[str], told: Callable[[ComparedEncoder], Cell]) -> tuple[dict[str, Cell], ...]:
        def row_of(name: str) -> dict[str, Cell]:
            return {"name": name, **{str(size): told(by_place[name, size]) for size in sizes}}

        return tuple(row_of(name) for name in names)

    taken: list[dict[str, Cell]] = [one.model_dump() for one in found.recommended]
    tables = [
        Table(
            columns=(name, *sized),
            rows=rows_of(names, _accuracy),
            title="Accuracy, mean of the seeds (lowest to highest)",
        ),
        Table(columns=TAKEN, rows=tuple(taken), title="Which to take"),
        Table(
            columns=(name, *sized),
            rows=rows_of(names, lambda one: one.choice),
            title="Chosen most often inside the labelled rows",
            folded=True,
        ),
    ]
    if len(names) > 1:
        title = f"Points over {names[0]}, and their intervals"
        tables.insert(1, Table(columns=(name, *sized), rows=rows_of(names[1:], _difference), title=title))
    return tables


def _accuracy(one: ComparedEncoder) -> str:
    return f"{one.accuracy:.3f} ({one.lowest:.3f} to {one.highest:.3f})"


def _difference(one: ComparedEncoder) -> str:
    low, high = one.interval
    mark = " better" if one.is_better else " worse" if one.is_worse else ""
    return f"{100 * one.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]{mark}"


def _notes(found: EncoderComparison) -> tuple[str, ...]:
    return (
        f"{found.seeds} draws of labelled rows, the same for each encoder, and {found.test_rows:,} rows of the test split. "
        f"Intervals are over both and hold together at {100 * found.confidence:.0f}% for one number of labels.",
    )


def panel_section(folder: Path) -> Section:
    """A row an encoder: its score, what it keeps of the teacher's, what distilling gave, its accuracy on each set."""
    found = read_panel(folder)
    sets = [Column(name=f"on {name}", heading=name, places=3, minor=True) for name in found.labels]
    columns = (
        Column(name="name", heading="encoder"),
        Column(name="score", heading="mean accuracy", places=3),
        Column(name="retained", heading="of the teacher's", places=3),
        Column(name="keeps", heading="for sure", places=3),
        Column(name="over", heading="points over undistilled"),
        Column(name="seeds", heading="seeds", minor=True),
        *sets,
    )
    rows: list[dict[str, Cell]] = [
        {**row.model_dump(include={"name", "score", "retained", "keeps", "seeds"}), "over": _over(row)}
        | {f"on {name}": value for name, value in row.sets.items()}
        for row in found.rows
    ]
    told = ", ".join(
        f"{name}: {found.labels[name]:,} labelled rows, {found.test_rows[name]:,} of test"
        for name in found.labels
    )
    return Section(
        title="Fine-tuned alike, on a panel",
        tables=(Table(columns=columns, rows=tuple(rows)),),
        notes=(
            f"{told}. Intervals, of {100 * found.confidence:.0f}%, are over draws of labels and test rows; from one seed "
            "there is none.",
        ),
    )


def _over(row: PanelRow) -> str | None:
    if row.over_undistilled is None:
        return None
    between = (
        "" if row.interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * end for end in row.interval))
    )
    return f"{100 * row.over_undistilled:+.1f}{between}"
