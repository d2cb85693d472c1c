"""The newest runs of a home on one page, each with its end and the way to its report: `reports/index.html`.

The list lies beside it as JSON and each run adds itself: nobody reads a year of reports to make one page.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from tasks.figures.svg import html_templates
from tasks.formats.value import Value
from tasks.reporting.html import REPORT, TEMPLATES, style

LIST, INDEX, LATEST = "index.json", "index.html", "latest"
MOST = 200


class ReportedRun(Value):
    """A run and where it is shown."""

    folder: str = Field(description="of the run, below reports/")
    page: str = Field(description="the file in it to open")
    name: str
    flow: str
    ended: str = Field(description="UTC, ISO 8601")
    result: str = Field(description="what it came to, in a few words")


_RUNS = TypeAdapter(tuple[ReportedRun, ...])


def with_run(reports: Path, run: ReportedRun) -> tuple[ReportedRun, ...]:
    """The newest runs whose reports are still there, `run` first: at most 200. A list that cannot be read begins anew."""
    try:
        known = _RUNS.validate_json((reports / LIST).read_bytes())
    except (FileNotFoundError, ValidationError):
        known = ()
    there = [one for one in known if one.folder != run.folder and (reports / one.folder / one.page).is_file()]
    return (run, *there)[:MOST]


def list_text(runs: Sequence[ReportedRun]) -> str:
    """The list as it is kept."""
    return _RUNS.dump_json(tuple(runs), indent=1).decode() + "\n"


def render_index(runs: Sequence[ReportedRun]) -> str:
    """The page. What comes from data is escaped by the template."""
    template = html_templates(TEMPLATES).get_template("index.html.j2")
    return template.render(runs=runs, style=style(REPORT), latest=LATEST)
