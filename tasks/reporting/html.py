"""The HTML report of a run: one file that asks nothing of the network and runs no script.

Headline and verdict, what the stages show, lineage, times, what was asked. Text from data is escaped by the template.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from infra.errors import ArtifactError
from tasks.evaluation.comparison import interval_text, ratio_text
from tasks.figures.lineage import LineageNode, draw_lineage
from tasks.figures.svg import as_svg, html_templates
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE
from tasks.formats.section import Cell, Column, Section, Table, words
from tasks.formats.shares import percent
from tasks.reporting.headline import comparison_section, times_section, verdict_section
from tasks.reporting.summary import RunSummary

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
    environment = html_templates(TEMPLATES)
    environment.filters |= {
        "data_uri": data_uri,
        "words": words,
        "drawn": Markup,
        "bar": bar,
        "ratio": ratio_text,
        "percent": percent,
    }
    summary, candidate = page.summary, page.summary.row(CANDIDATE)
    text = environment.get_template("report.html.j2").render(
        page=page,
        summary=summary,
        candidate=candidate,
        shares=summary.shares,
        interval=interval_text(candidate.latency_ratio_interval) if candidate else None,
        baseline=summary.row(BASELINE),
        reference=summary.row(REFERENCE),
        verdict=verdict_line(summary),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # our own file
        before=(verdict_section(summary), comparison_section(summary.rows, summary.shares)),
        lineage=as_svg("lineage", draw_lineage(page.lineage)) if page.lineage else "",
        names={node.id: node.name for node in page.lineage},
        times=times_section(summary.stages, summary.seconds),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def verdict_line(summary: RunSummary) -> str:
    """What a run came to, in a few words."""
    return TAKEN_DOWN if summary.taken_down else VERDICTS[summary.verdict]


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
