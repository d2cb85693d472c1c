"""Report: one page, one table and one JSON of a run, shown at the terminal, in MLflow and in Prefect.

(Domain imports are inside: a dry run pays for none.)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel

from infra.engine.action import ActionRun, action
from infra.engine.run import FlowRun
from infra.engine.sections import show_artifacts
from infra.files import write_atomically
from infra.machine.environment import running_services
from infra.machine.terminal import Terminal, one_line
from infra.store.record import InputRecord, hardware
from infra.store.references import ArtifactRef, DatasetRef
from infra.tracking.headline import headline
from infra.tracking.showcase import show_in_prefect
from tasks.figures.lineage import LineageNode
from tasks.report.data_summary import DataRecord, DataStage, DataSummary, FilterSummary
from tasks.report.summary import RunSummary, StageSummary
from tasks.results.comparison import compare
from tasks.results.curation import REPORT_FILE, read_curation
from tasks.results.pictures import IMAGES
from tasks.results.section import Section
from tasks.results.values import (
    BenchmarkReport,
    EvaluationReport,
    GateVerdict,
    PublishedDataset,
    ReleaseRecord,
    read_report,
)

SUMMARY, PAGE = "summary.json", "report.html"
VERDICT, NOTE = (
    "stillhouse.verdict",
    "mlflow.note.content",
)  # the second is a run's description in MLflow's UI
HEADLINE = ("accuracy", "macro_f1", "size_mb", "p50_ms", "latency_ratio", "size_ratio")
SOURCES = {"SourceRef": "tables", "CheckpointRef": "base model"}


@action()
def report_run(
    run: ActionRun, config: BaseModel, made: Mapping[str, ArtifactRef], record: ReleaseRecord
) -> ReleaseRecord:
    """Write the page and the JSON, print the table; the record comes back with where they lie.

    `made` is what the run ends in, evaluation, benchmark and verdict among it: they and all that they were made from are
    the run's lineage, and its stages of that are the page's sections.
    """
    from tasks.cards.markdown import as_text
    from tasks.report.html import Page, render_report
    from tasks.report.table import print_summary

    folder = run.settings.reports / (run.flow.flow_run_id or "local")
    summary = _summary(run, made, record, folder / PAGE)
    lineage = _lineage(run, tuple(made.values()))
    page = Page(
        title=record.name,
        summary=summary,
        sections=_sections(run, lineage),
        lineage=lineage,
        config=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        links=_places(run.flow),
    )
    render_report(page, folder / PAGE)
    write_atomically(folder / SUMMARY, summary.model_dump_json() + "\n")
    _track(run, summary, folder / PAGE)
    show_in_prefect(run.flow.name, [row.model_dump() for row in summary.rows], folder / PAGE,
                    [as_text(reason) for reason in (summary.gate.reasons if summary.gate else ())])  # fmt: skip
    print_summary(summary, Terminal(soft_wrap=False), tuple(_places(run.flow).items()))
    return record.model_copy(update={"summary": str(folder / SUMMARY)})


def _track(run: ActionRun, summary: RunSummary, page: Path) -> None:
    """The headline, and where the page is. It lies once in a home: only a server elsewhere gets one of its own.

    The page of a run that computed nothing names the pictures of the artifacts, which an earlier page has in it.
    """
    from tasks.report.pictures import with_references

    tracker, parent = run.tracker, run.flow.mlflow_run_id
    if all(outcome.state == "cached" for outcome in run.flow.outcomes):
        folders = [run.store.folder(outcome.name, outcome.key) for outcome in run.flow.outcomes]
        pictures = [path for folder in folders for path in folder.rglob("*") if path.suffix in IMAGES]
        write_atomically(page, with_references(page.read_text(encoding="utf-8"), page.parent, pictures))
    elif run.settings.mlflow_uri is not None:
        tracker.log_file(parent, page)
    tracker.log(parent, headline([row.model_dump(include={"name", *HEADLINE}) for row in summary.rows]))
    place = page.relative_to(run.settings.home).as_posix()
    tracker.tag(parent, {VERDICT: summary.verdict, NOTE: f"Report: `{place}` in the home of this run."})


def read_summary(record: ReleaseRecord) -> RunSummary:
    """The JSON of the run that made a record."""
    return RunSummary.model_validate_json(Path(str(record.summary)).read_bytes())


@action()
def report_data(
    run: ActionRun, published: PublishedDataset, rows: DatasetRef, dataset: DatasetRef
) -> DataRecord:
    """Write the JSON of a run that ends in a data set, print what each filter took, and say where the data set lies."""
    from tasks.report.data_table import print_data_summary

    curation = read_curation(run.part(dataset, REPORT_FILE))
    sizes = {
        rows.digest: _size(run, rows, curation.rows_in),
        dataset.digest: _size(run, dataset, curation.rows_out),
    }
    summary = DataSummary(
        flow=run.flow.name,
        dataset=published,
        rows_in=curation.rows_in,
        rows_out=curation.rows_out,
        splits=curation.splits,
        filters=tuple(
            FilterSummary(**step.model_dump(exclude={"examples", "dropped"})) for step in curation.steps
        ),
        warnings=curation.warnings,
        stages=tuple(
            DataStage(**outcome.model_dump(), **sizes[outcome.digest]) for outcome in run.flow.outcomes
        ),
        seconds=round(run.flow.seconds, 3),
        machine=hardware(),
        mlflow_run_id=run.flow.mlflow_run_id,
    )
    path = run.settings.reports / (run.flow.flow_run_id or "local") / SUMMARY
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, summary.model_dump_json(indent=2) + "\n")
    run.tracker.log_file(run.flow.mlflow_run_id, path)
    run.tracker.log(
        run.flow.mlflow_run_id, [("rows_in", summary.rows_in, 0), ("rows_out", summary.rows_out, 0)]
    )
    print_data_summary(summary, Terminal(soft_wrap=False), tuple(_places(run.flow).items()))
    return DataRecord(dataset=published, summary=str(path))


def read_data_summary(record: DataRecord) -> DataSummary:
    """The JSON of the run that made a record."""
    return DataSummary.model_validate_json(Path(record.summary).read_bytes())


def _size(run: ActionRun, ref: DatasetRef, rows: int) -> dict[str, int]:
    record = run.record(ref)
    return {"rows": rows, "bytes": sum(file.size for file in record.files.values()) if record else 0}


def _summary(
    run: ActionRun, made: Mapping[str, ArtifactRef], record: ReleaseRecord, page: Path
) -> RunSummary:
    evaluation = read_report(run.path(made["evaluation"]), EvaluationReport)
    benchmark = read_report(run.path(made["benchmark"]), BenchmarkReport)
    return RunSummary(
        flow=run.flow.name,
        verdict=record.verdict,
        release=record.path,
        seconds=round(run.flow.seconds, 3),
        stages=tuple(StageSummary(**outcome.model_dump()) for outcome in run.flow.outcomes),
        rows=compare(evaluation, benchmark),
        gate=read_report(run.path(made["verdict"]), GateVerdict),
        record=record,
        machine=hardware() | {"cpu": benchmark.cpu},
        mlflow_run_id=run.flow.mlflow_run_id,
        report=str(page),
    )


def _places(flow: FlowRun) -> dict[str, str]:
    """Where the UIs are, or how to open them."""
    services = running_services(flow.settings)
    if services is None:
        return {"UIs": "python -m infra.cli up"}
    prefect = services.prefect_api_url.removesuffix("/api")
    return {
        "Prefect": f"{prefect}/runs/flow-run/{flow.flow_run_id}",
        "MLflow": flow.tracker.page(flow.mlflow_run_id),
    }


def _sections(run: ActionRun, nodes: Sequence[LineageNode]) -> tuple[Section, ...]:
    """What the stages of this run show of these artifacts, in the order in which they were done."""
    from tasks.report.sections import page_section, told_apart

    place = {outcome.key: number for number, outcome in enumerate(run.flow.outcomes)}
    records = [run.record(ArtifactRef(uri=node.id, digest=node.digest)) for node in nodes]
    done = sorted((one for one in records if one and one.key in place), key=lambda one: place[one.key])
    found = []
    for shown in show_artifacts(run.store, done):
        if shown.problem is not None:
            run.flow.say(one_line((f"  {shown.record.stage} is not shown: {shown.problem}", "yellow")))
        curves: dict[str, list[tuple[int, float]]] = {}
        for name, value, step in shown.history:
            curves.setdefault(name, []).append((step, value))
        section = page_section(shown.record.stage, shown.section, shown.problem, curves)
        if section is not None:
            found.append((shown.record.key, section))
    return told_apart(found)


def _lineage(run: ActionRun, last: Sequence[ArtifactRef]) -> list[LineageNode]:
    """Every artifact that the last ones were made from, themselves first."""
    states = {outcome.digest: outcome.state for outcome in run.flow.outcomes}
    nodes: dict[str, LineageNode] = {}
    waiting = [InputRecord(kind=type(ref).__name__, uri=ref.uri, digest=ref.digest) for ref in last]
    while waiting:
        item = waiting.pop()
        if item.uri in nodes:
            continue
        record = run.record(ArtifactRef(uri=item.uri, digest=item.digest))
        inputs = tuple(record.inputs.values()) if record else ()
        nodes[item.uri] = LineageNode(
            id=item.uri,
            name=record.stage if record else SOURCES.get(item.kind, "source"),
            kind=record.kind if record else item.kind,
            digest=item.digest,
            state=states.get(item.digest, "cached") if record else "source",
            inputs=tuple(dict.fromkeys(given.uri for given in inputs)),
        )
        waiting += inputs
    return _told_apart(list(nodes.values()))


def _told_apart(nodes: list[LineageNode]) -> list[LineageNode]:
    """A stage that ran on several inputs is named with the first of them: `predict: distill`."""
    names = {node.id: node.name for node in nodes}
    often = {name for name, count in Counter(names.values()).items() if count > 1}
    return [
        node.model_copy(update={"name": f"{node.name}: {names[node.inputs[0]]}"})
        if node.name in often and node.inputs
        else node
        for node in nodes
    ]
