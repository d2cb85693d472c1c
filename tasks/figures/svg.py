"""A laid-out figure as SVG: geometry from this room, colours from the style sheet of the page that holds it."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES = Path(__file__).parent / "templates"
SHORT = 12  # digits of a digest, enough to find it by


def as_svg(kind: str, *laid_out: object) -> str:
    """The drawing of a figure by the macro `kind`; text in it is escaped."""
    return str(getattr(_macros().module, kind)(*laid_out))


@cache
def _macros() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["short"] = lambda digest: digest[:SHORT]
    return environment.get_template("charts.html.j2")
