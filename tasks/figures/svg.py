"""A laid-out figure as SVG: geometry from this room, colours from the style sheet of the page that holds it."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES = Path(__file__).parent / "templates"


def as_svg(kind: str, *laid_out: object) -> str:
    """The drawing of a figure by the macro `kind`; text in it is escaped."""
    return str(getattr(_macros().module, kind)(*laid_out))


def html_templates(folder: Path) -> Environment:
    """Templates that escape whatever is put in, and take a name that is not there for an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _macros() -> Template:
    return html_templates(TEMPLATES).get_template("charts.html.j2")
