"""The HTML report of a run: one file that asks nothing of the network and runs no script."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from infra.errors import ArtifactError
from tasks.report.charts.curves import draw_curves
from tasks.report.charts.interval import draw_interval
from tasks.report.charts.lineage import draw_lineage
from tasks.report.charts.tradeoff import draw_tradeoff
from tasks.report.inputs import ReportInputs

TEMPLATES = Path(__file__).parent / "templates"
MEDIA = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
VERDICTS = {"pass": "Pass: released", "fail": "Fail: not released", "needs_more_rows": "Needs more test rows"}
TAKEN_DOWN = "Pass: not released again"


def render_report(inputs: ReportInputs, path: Path) -> Path:
    """Write the page to `path` and return it. Text from data is escaped, so that markup in it stays text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": data_uri, "words": words, "short": short, "significant": significant}
    summary = inputs.summary
    page = environment.get_template("report.html.j2").render(
        inputs=inputs,
        summary=summary,
        gate=summary.gate,
        rows=summary.rows,
        row={row.name: row for row in summary.rows},
        evaluation=inputs.evaluation,
        benchmark=inputs.benchmark,
        verdict=TAKEN_DOWN
        if summary.verdict == "pass" and not summary.release
        else VERDICTS[summary.verdict],
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # our own file
        tradeoff=draw_tradeoff(summary.rows),
        interval=draw_interval(summary.gate) if summary.gate else None,
        curves={stage: draw_curves(history) for stage, history in inputs.curves.items()},
        lineage=draw_lineage(inputs.lineage) if inputs.lineage else None,
        names={node.id: node.name for node in inputs.lineage},
        slowest=max((stage.seconds for stage in summary.stages), default=0.0) or 1.0,
        classes=sorted(inputs.evaluation.per_class, key=lambda scores: (scores.f1, scores.label)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def data_uri(path: Path) -> str:
    """An image file as a `data:` address. Raises ArtifactError for a file of another kind."""
    if path.suffix not in MEDIA:
        raise ArtifactError(
            f"{path} cannot be shown: expected one of {', '.join(MEDIA)}. Save the plot as PNG or SVG."
        )
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def words(name: str) -> str:
    """A name of the code as words: `roc_auc` is `roc auc`."""
    return name.replace("_", " ").replace("-", " ")


def short(digest: str) -> str:
    """The first twelve digits of a digest, enough to find it by."""
    return digest[:12]


def significant(value: float) -> str:
    """A figure with four significant digits, whole numbers with thousands separators."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
