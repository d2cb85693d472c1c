"""The page of a run, and what is told of it beside: what the actions of `stages.py` have in common.

It stands on infra as a `stages.py` does, and is nothing but what those need. (Domain imports are inside.)
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml
from pydantic import BaseModel

from infra.engine.action import ActionRun
from infra.engine.sections import show_artifacts
from infra.errors import ArtifactError
from infra.files import file_lock, point_link, write_atomically
from infra.machine.environment import running_services
from infra.machine.report_address import report_address
from infra.machine.terminal import one_line
from infra.store.history import Point, read_history
from infra.store.record import InputRecord
from infra.store.references import ArtifactRef
from infra.tracking.showcase import show_in_prefect
from tasks.figures.lineage import LineageNode
from tasks.formats.pictures import IMAGES
from tasks.formats.section import Section, Table
from tasks.reporting.adapt_summary import Trained
from tasks.reporting.language_model_summary import LanguageModelRecord, LanguageModelSummary
from tasks.training.masked_lm.config import AdaptConfig

if TYPE_CHECKING:
    from tasks.reporting.html import Headline, Page

SUMMARY, PAGE = "summary.json", "report.html"
# A note is a run's description in MLflow's UI.
VERDICT, NOTE = "stillhouse.verdict", "mlflow.note.content"


class Shown(NamedTuple):
    """What stands ahead of the stages on the page of a language model's run, and what Prefect shows."""

    headline: "Headline"
    section: Section
    table: Table


def tell_language_model(
    run: ActionRun,
    config: BaseModel,
    made: Mapping[str, ArtifactRef],
    summary: LanguageModelSummary,
    shown: Shown,
    points: Sequence[Point],
    ends: str | None = None,
) -> LanguageModelRecord:
    """Write the page of a language model's run and tell what it came to, `ends` in its list, unset: its headline."""
    from tasks.reporting.html import LANGUAGE_MODELS, Page

    page = Page(run.flow.title, summary, shown.headline, before=(shown.section,), styles=LANGUAGE_MODELS)
    ends = ends or shown.headline.verdict
    tell(run, with_run(run, page, config, made), summary, ends, points, shown.table)
    checkpoint = made["checkpoint"]
    return LanguageModelRecord(
        checkpoint=checkpoint.uri, digest=checkpoint.digest, summary=str(report_folder(run) / SUMMARY)
    )


def with_run(run: ActionRun, page: "Page", config: BaseModel, made: Mapping[str, ArtifactRef]) -> "Page":
    """The page with what every run has: its stages' sections, the lineage of what it `made`, what was asked, where to look."""
    from tasks.reporting.lineage import trace
    from tasks.reporting.sections import told_apart

    ends = [InputRecord(kind=type(ref).__name__, uri=ref.uri, digest=ref.digest) for ref in made.values()]
    states = {outcome.digest: outcome.state for outcome in run.flow.outcomes}
    labels = {outcome.digest: outcome.label for outcome in run.flow.outcomes}
    lineage = trace(ends, lambda ref: run.record(ArtifactRef(uri=ref.uri, digest=ref.digest)), states, labels)
    return replace(
        page,
        sections=told_apart(_sections(run, lineage)),
        lineage=lineage,
        config=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        links=places(run),
    )


def publish(run: ActionRun, page: "Page", summary: BaseModel, result: str) -> str:
    """Write the page and the summary, and list the run with what it came to; returns the address of its page."""
    from tasks.reporting.html import render_report

    render_report(page, report_folder(run) / PAGE)
    write_atomically(report_folder(run) / SUMMARY, summary.model_dump_json() + "\n")
    return list_run(run, PAGE, result)


def tell(
    run: ActionRun, page: "Page", summary: BaseModel, result: str, points: Sequence[Point], table: Table
) -> None:
    """Write the page of a language model's run, and say in MLflow and Prefect what it came to."""
    from tasks.formats.markdown import as_text

    told = page.headline
    link = publish(run, page, summary, result)
    track(run, link, points, {VERDICT: told.verdict})
    told_as_text = [as_text(told.verdict), as_text(told.lead)]
    show_in_prefect(run.flow.name, table.rows, link, report_folder(run) / PAGE, told_as_text)


def list_run(run: ActionRun, page: str, result: str) -> str:
    """Put the run at the head of the home's index and let `latest` be it; returns the address of its page."""
    from tasks.reporting.index import INDEX, LATEST, LIST, ReportedRun, list_text, render_index, with_run

    reports, folder = run.settings.reports, report_folder(run)
    ended = datetime.now(UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    entry = ReportedRun(
        folder=folder.name, page=page, name=run.flow.title, flow=run.flow.name, ended=ended, result=result
    )
    with file_lock(run.settings.locks / "reports.lock"):
        runs = with_run(reports, entry)
        write_atomically(reports / LIST, list_text(runs))
        write_atomically(reports / INDEX, render_index(runs))
        point_link(reports / LATEST, folder.name)
    return report_address(run.settings, f"{folder.name}/{page}")


def track(run: ActionRun, link: str, points: Sequence[Point], tags: Mapping[str, str | None]) -> None:
    """The headline, and where the page is. It lies once in a home: only a server elsewhere gets one of its own.

    The page of a run that computed nothing names the pictures of the artifacts, which an earlier page has in it.
    """
    from tasks.reporting.pictures import with_references

    tracker, parent, page = run.tracker, run.flow.mlflow_run_id, report_folder(run) / PAGE
    if all(outcome.state == "cached" for outcome in run.flow.outcomes):
        folders = [run.store.folder(outcome.name, outcome.key) for outcome in run.flow.outcomes]
        pictures = [path for folder in folders for path in folder.rglob("*") if path.suffix in IMAGES]
        write_atomically(page, with_references(page.read_text(encoding="utf-8"), page.parent, pictures))
    elif run.settings.mlflow_uri is not None:
        tracker.log_file(parent, page)
    tracker.log(parent, points)
    place = page.relative_to(run.settings.home).as_posix()
    note = f"[Report]({link}), while `stillhouse up` runs; `{place}` in the home of this run."
    tracker.tag(parent, {name: value for name, value in {NOTE: note, **tags}.items() if value})


def _sections(run: ActionRun, nodes: Sequence[LineageNode]) -> Iterator[tuple[str, Section | None]]:
    """What the stages of this run show of these artifacts, by their keys, in the order in which they were done."""
    from tasks.reporting.sections import labelled, page_section

    place = {outcome.key: number for number, outcome in enumerate(run.flow.outcomes)}
    records = [run.record(ArtifactRef(uri=node.id, digest=node.digest)) for node in nodes]
    done = sorted((one for one in records if one and one.key in place), key=lambda one: place[one.key])
    for shown in show_artifacts(run.store, done):
        stage = shown.record.stage
        if shown.problem is not None:
            run.flow.say(one_line((f"  {stage} is not shown: {shown.problem}", "yellow")))
        outcome = run.flow.outcomes[place[shown.record.key]]
        section = page_section(stage, shown.section, shown.problem, _curves(shown.history))
        yield shown.record.key, labelled(section, outcome.label)


def made_here(run: ActionRun, made: Mapping[str, ArtifactRef]) -> tuple[dict[str, str], dict[str, Path]]:
    """Where each lies: in the store, and on this machine."""
    return {name: ref.uri for name, ref in made.items()}, {name: run.path(ref) for name, ref in made.items()}


def trained(run: ActionRun, checkpoint: ArtifactRef) -> Trained:
    """How an adapted checkpoint of this run was trained."""
    config, curves = course(run, checkpoint)
    return Trained(curves["validation_perplexity"], AdaptConfig.model_validate(config).batch_size)


def course(run: ActionRun, checkpoint: ArtifactRef) -> tuple[object, Mapping[str, list[tuple[int, float]]]]:
    """What a checkpoint's training was asked, and what it told by step. Raises ArtifactError where nothing says it."""
    record = run.record(checkpoint)
    if record is None:
        raise ArtifactError(
            f"{checkpoint.uri} has no record: expected a checkpoint that a stage of the flow made. Run the flow again."
        )
    return record.config, _curves(read_history(run.store.folder(record.stage, record.key)))


def _curves(history: Iterable[Point]) -> Mapping[str, list[tuple[int, float]]]:
    """Step and value of each metric."""
    curves = defaultdict(list)
    for name, value, step in history:
        curves[name].append((step, value))
    return curves


def report_folder(run: ActionRun) -> Path:
    """Where the page and the JSON of a run lie."""
    return run.settings.reports / (run.flow.flow_run_id or "local")


def bytes_of(run: ActionRun, ref: ArtifactRef) -> int:
    """Of an artifact's files; 0 where nothing says it."""
    record = run.record(ref)
    return sum(file.size for file in record.files.values()) if record else 0


def places(run: ActionRun) -> dict[str, str]:
    """Where the UIs are, or how to open them."""
    services = running_services(run.settings)
    if services is None:
        return {"UIs": "stillhouse up"}
    prefect = services.prefect_api_url.removesuffix("/api")
    return {
        "Prefect": f"{prefect}/runs/flow-run/{run.flow.flow_run_id}",
        "MLflow": run.tracker.page(run.flow.mlflow_run_id),
    }
