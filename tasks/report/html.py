"""The HTML report of a run: one file that asks nothing of the network and runs no script.

Headline and verdict, what the stages show, lineage, times, what was asked. Text from data is escaped by the template.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from infra.errors import ArtifactError
from tasks.figures.lineage import LineageNode, draw_lineage
from tasks.figures.svg import as_svg
from tasks.report.headline import comparison_section, times_section, verdict_section
from tasks.report.summary import RunSummary
from tasks.results.roles import BASELINE, CANDIDATE, REFERENCE
from tasks.results.section import Cell, Column, Section, Table, words

TEMPLATES = Path(__file__).parent / "templates"
MEDIA = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
VERDICTS = {"pass": "Pass: released", "fail": "Fail: not released", "needs_more_rows": "Needs more test rows"}
TAKEN_DOWN = "Pass: not released again"


@dataclass(frozen=True)
class Page:
    """One run as it is shown; a part that is missing is left out of the page."""

    title: str
    summary: RunSummary
    sections: Sequence[Section] = ()
    lineage: Sequence[LineageNode] = ()
    config: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


def render_report(page: Page, path: Path) -> Path:
    """Write the page to `path` and return it. Raises ArtifactError for a picture of an unknown kind."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": data_uri, "words": words, "drawn": Markup, "bar": bar}
    summary = page.summary
    rows = {row.name: row for row in summary.rows}
    taken_down = summary.verdict == "pass" and not summary.release
    text = environment.get_template("report.html.j2").render(
        page=page,
        summary=summary,
        candidate=rows.get(CANDIDATE),
        baseline=rows.get(BASELINE),
        reference=rows.get(REFERENCE),
        verdict=TAKEN_DOWN if taken_down else VERDICTS[summary.verdict],
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # our own file
        before=(verdict_section(summary), comparison_section(summary.rows)),
        lineage=as_svg("lineage", draw_lineage(page.lineage)) if page.lineage else "",
        names={node.id: node.name for node in page.lineage},
        times=times_section(summary.stages, summary.seconds),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def data_uri(path: Path) -> str:
    """An image file as a `data:` address. Raises ArtifactError for a file of another kind."""
    if path.suffix not in MEDIA:
        raise ArtifactError(
            f"{path} cannot be shown: expected one of {', '.join(MEDIA)}. Save the plot as PNG or SVG."
        )
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def bar(row: Mapping[str, Cell], column: Column, table: Table) -> str:
    """Per cent of a bar that a cell's figure takes, the column's largest being all of it."""
    figures = [cell for one in table.rows if isinstance(cell := one.get(column.name), int | float)]
    figure = row.get(column.name)
    share = figure / max(figures) if isinstance(figure, int | float) and max(figures) > 0 else 0.0
    return f"{100 * share:.1f}"
