"""The HTML report of a run: one file that asks nothing of the network and runs no script.

A headline and what else a flow puts first, what the stages show, lineage, times, what was asked. Text from data is escaped by
the template.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from infra.errors import ArtifactError
from tasks.figures.lineage import LineageNode, draw_lineage
from tasks.figures.svg import as_svg, html_templates
from tasks.formats.section import Cell, Column, Section, Table, words
from tasks.reporting.sections import times_section
from tasks.reporting.summary import Summary

TEMPLATES = Path(__file__).parent / "templates"
REPORT = "report.css"  # the sheet of every page
LANGUAGE_MODELS = ("language_models.css",)  # more, of flows that end in one
MEDIA = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}


@dataclass(frozen=True)
class Tile:
    """A figure of the headline, what it is, and a hint; `bad` when it speaks against the run."""

    figure: str
    label: str
    hint: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Headline:
    """What a run came to: a few words, their colour (`pass`, `fail`; `unsure`, `needs_more_rows`), a sentence, figures."""

    verdict: str
    mark: str
    lead: str = ""
    tiles: Sequence[Tile] = ()


@dataclass(frozen=True)
class Page:
    """One run of a flow as it is shown: `before` its stages' sections stand the flow's own. What is missing is left out.

    `styles` are the sheets of figures that only some flows have, besides `report.css`.
    """

    title: str
    summary: Summary
    headline: Headline
    before: Sequence[Section] = ()
    sections: Sequence[Section] = ()
    lineage: Sequence[LineageNode] = ()
    config: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    styles: Sequence[str] = ()


def render_report(page: Page, path: Path) -> Path:
    """Write the page to `path` and return it. Raises ArtifactError for a picture of an unknown kind."""
    environment = html_templates(TEMPLATES)
    environment.filters |= {"data_uri": data_uri, "words": words, "drawn": Markup, "bar": bar}
    text = environment.get_template("report.html.j2").render(
        page=page,
        style=style(REPORT, *page.styles),
        lineage=as_svg("lineage", draw_lineage(page.lineage)) if page.lineage else "",
        names={node.id: node.name for node in page.lineage},
        times=times_section(page.summary.stages, page.summary.seconds),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def style(*sheets: str) -> Markup:
    """Style sheets of our own, from beside the templates."""
    return Markup("").join(Markup((TEMPLATES / sheet).read_text(encoding="utf-8")) for sheet in sheets)


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
    figure, most = row.get(column.name), max(filter(math.isfinite, figures), default=0)
    share = min(figure / most, 1.0) if isinstance(figure, int | float) and most > 0 else 0.0
    return f"{100 * share:.1f}"
