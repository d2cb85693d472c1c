"""Report: one page, one table and one JSON of a run, shown at the terminal, in MLflow and in Prefect.

(Domain imports are inside: a dry run pays for none.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel

from infra.engine.action import ActionRun, action
from infra.engine.sections import show_artifacts
from infra.errors import ArtifactError
from infra.files import file_lock, point_link, write_atomically
from infra.machine.report_address import report_address
from infra.machine.terminal import Terminal, one_line
from infra.store.history import Point, curves_of, read_history
from infra.store.record import InputRecord, hardware
from infra.store.references import ArtifactRef
from infra.tracking.headline import headline
from infra.tracking.showcase import show_in_prefect
from tasks.figures.lineage import LineageNode
from tasks.formats.curation_report import REPORT_FILE as CURATION_FILE
from tasks.formats.curation_report import read_curation
from tasks.formats.kinds import DatasetRef
from tasks.formats.pictures import IMAGES
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.published_model import PublishedModel
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.section import Section, Table
from tasks.reporting.adapt_summary import Trained, read_adapted, summarise_adapted
from tasks.reporting.data_summary import DataRecord, summarise_data
from tasks.reporting.distill_summary import distilled, summarise_distilled
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.reporting.summary import summarise
from tasks.training.masked_lm.config import AdaptConfig

if TYPE_CHECKING:
    from tasks.reporting.html import Page

SUMMARY, PAGE = "summary.json", "report.html"
# A note is a run's description in MLflow's UI.
VERDICT, NOTE = "stillhouse.verdict", "mlflow.note.content"
MODEL_VERSION, REVISION = "stillhouse.model_version", "stillhouse.model_revision"
HEADLINE = ("accuracy", "macro_f1", "size_mb", "p50_ms", "latency_ratio", "size_ratio")


@action()
def report_run(
    run: ActionRun, config: BaseModel, made: Mapping[str, ArtifactRef], record: ReleaseRecord
) -> ReleaseRecord:
    """Write the page and the JSON, print the table; the record comes back with where they lie.

    `made` is what the run ends in, evaluation, benchmark and verdict among it: they and all that they were made from are
    the run's lineage, and its stages of that are the page's sections.
    """
    from tasks.formats.markdown import as_text
    from tasks.reporting.headline import comparison_section, run_headline, verdict_line, verdict_section
    from tasks.reporting.html import Page
    from tasks.reporting.table import print_summary

    reports = {name: run.path(made[name]) for name in ("evaluation", "benchmark", "verdict")}
    summary = summarise(run.flow, record, reports, run.report_dir / PAGE, hardware())
    page = Page(
        title=record.name,
        summary=summary,
        headline=run_headline(summary),
        before=(verdict_section(summary), comparison_section(summary.rows, summary.shares)),
    )
    result = f"{record.name}: {verdict_line(summary).rpartition(': ')[2].lower()}"
    link = _publish(run, _with_run(run, page, config, made), summary, result)
    tags = {VERDICT: summary.verdict, MODEL_VERSION: record.registered_version, REVISION: record.revision}
    _track(run, link, headline([row.model_dump(include={"name", *HEADLINE}) for row in summary.rows]), tags)
    show_in_prefect(run.flow.name, [row.model_dump() for row in summary.rows], link, run.report_dir / PAGE,
                    [as_text(reason) for reason in (summary.gate.reasons if summary.gate else ())])  # fmt: skip
    print_summary(summary, Terminal(soft_wrap=False), tuple(run.places().items()))
    return record.model_copy(update={"summary": str(run.report_dir / SUMMARY)})


@action()
def report_data(
    run: ActionRun, published: PublishedDataset, rows: DatasetRef, dataset: DatasetRef
) -> DataRecord:
    """Write the JSON of a run that ends in a data set, print what each filter took, and say where the data set lies."""
    from tasks.reporting.data_table import print_data_summary

    curation = read_curation(run.part(dataset, CURATION_FILE))
    made = {
        rows.digest: (curation.rows_in, run.bytes(rows)),
        dataset.digest: (curation.rows_out, run.bytes(dataset)),
    }
    summary = summarise_data(run.flow, published, curation, made, hardware())
    path, parent = run.report_dir / SUMMARY, run.flow.mlflow_run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, summary.model_dump_json(indent=2) + "\n")
    _list(run, SUMMARY, f"{published.repo}: {summary.rows_out:,} rows")
    run.tracker.log_file(parent, path)
    run.tracker.log(parent, [("rows_in", summary.rows_in, 0), ("rows_out", summary.rows_out, 0)])
    print_data_summary(summary, Terminal(soft_wrap=False), tuple(run.places().items()))
    return DataRecord(dataset=published, summary=str(path))


@action()
def report_adapt(
    run: ActionRun, config: BaseModel, made: Mapping[str, ArtifactRef], published: PublishedModel
) -> LanguageModelRecord:
    """Write the page and the JSON of a run that ends in an adapted model, and print what it came to.

    `made` has its checkpoint, evaluation, ngrams and tokens, and what compares encoders; see `report_run`.
    """
    from tasks.reporting.adapt_page import adapt_headline, adapt_section, perplexities
    from tasks.reporting.adapt_table import print_adapted
    from tasks.reporting.html import LANGUAGE_MODELS, Page

    uris, folders = _made(run, made)
    asked, curves = _course(run, made["checkpoint"])
    trained = Trained(curves["validation_perplexity"], AdaptConfig.model_validate(asked).batch_size)
    found = read_adapted(uris, folders, trained)
    summary = summarise_adapted(run.flow, found, published, run.report_dir / PAGE, hardware())
    told = adapt_headline(found)
    page = Page(
        run.flow.title, summary, told, before=(adapt_section(found, published),), styles=LANGUAGE_MODELS
    )
    ends = f"perplexity {found.perplexity.before:.1f} to {found.perplexity.end:.1f}"
    measured = {"before": found.perplexity.before, "end": found.perplexity.end, **found.ngram.model_dump()}
    points = [(f"perplexity_{name}", value, 0) for name, value in measured.items()]
    _tell(run, _with_run(run, page, config, made), summary, ends, points, perplexities(found))
    print_adapted(summary, Terminal(soft_wrap=False), tuple(run.places().items()))
    checkpoint = made["checkpoint"]
    return LanguageModelRecord(
        checkpoint=checkpoint.uri, digest=checkpoint.digest, summary=str(run.report_dir / SUMMARY)
    )


@action()
def report_distilled(
    run: ActionRun, config: BaseModel, made: Mapping[str, ArtifactRef]
) -> LanguageModelRecord:
    """The same of a run that ends in a distilled language model; `made` has checkpoint, evaluation and bodies, and panel and
    probed where there were rows with labels.
    """
    from tasks.reporting.distill_page import distill_headline, distill_section, models_table
    from tasks.reporting.distill_table import print_distilled
    from tasks.reporting.html import LANGUAGE_MODELS, Page

    found = distilled(*_made(run, made))
    summary = summarise_distilled(run.flow, found, run.report_dir / PAGE, hardware())
    told = distill_headline(found)
    page = Page(run.flow.title, summary, told, before=(distill_section(found),), styles=LANGUAGE_MODELS)
    points = [(f"perplexity_{row.name.replace(' ', '_')}", row.perplexity, 0) for row in found.rows]
    _tell(run, _with_run(run, page, config, made), summary, told.verdict, points, models_table(found))
    print_distilled(summary, Terminal(soft_wrap=False), tuple(run.places().items()))
    digest = made["checkpoint"].digest
    return LanguageModelRecord(
        checkpoint=found.checkpoint, digest=digest, summary=str(run.report_dir / SUMMARY)
    )


@action()
def report_pretrained(
    run: ActionRun,
    config: BaseModel,
    made: Mapping[str, ArtifactRef],
    published: PublishedModel,
    tokenizer: PublishedModel,
) -> LanguageModelRecord:
    """The same of a run that ends in a language model begun from nothing.

    `made` has its checkpoint, corpus, tokenizer (as it was measured), tokens, evaluation, ngrams, completions and memorisation.
    """
    from tasks.reporting.html import LANGUAGE_MODELS, Page
    from tasks.reporting.pretrain_page import bits_table, pretrain_headline, pretrain_section
    from tasks.reporting.pretrain_summary import read_pretrained, summarise_pretrained
    from tasks.reporting.pretrain_table import print_pretrained

    uris, folders = _made(run, made)
    found = read_pretrained(uris["checkpoint"], folders, _course(run, made["checkpoint"])[1])
    summary = summarise_pretrained(run.flow, found, published, tokenizer, run.report_dir / PAGE, hardware())
    told = pretrain_headline(found)
    first = pretrain_section(found, published, tokenizer)
    page = Page(run.flow.title, summary, told, before=(first,), styles=LANGUAGE_MODELS)
    points = [("bits_per_byte", value, 0) for value in (found.bits_per_byte.mean,) if value is not None]
    points += [("parsed", found.completions.parsed, 0), ("distinct", found.completions.distinct, 0)]
    _tell(run, _with_run(run, page, config, made), summary, told.verdict, points, bits_table(found))
    print_pretrained(summary, Terminal(soft_wrap=False), tuple(run.places().items()))
    digest = made["checkpoint"].digest
    return LanguageModelRecord(checkpoint=found.model, digest=digest, summary=str(run.report_dir / SUMMARY))


def _with_run(run: ActionRun, page: "Page", config: BaseModel, made: Mapping[str, ArtifactRef]) -> "Page":
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
        links=run.places(),
    )


def _publish(run: ActionRun, page: "Page", summary: BaseModel, result: str) -> str:
    """Write the page and the summary, and list the run with what it came to; returns the address of its page."""
    from tasks.reporting.html import render_report

    render_report(page, run.report_dir / PAGE)
    write_atomically(run.report_dir / SUMMARY, summary.model_dump_json() + "\n")
    return _list(run, PAGE, result)


def _tell(
    run: ActionRun, page: "Page", summary: BaseModel, result: str, points: Sequence[Point], table: Table
) -> None:
    """Write the page of a language model's run, and say in MLflow and Prefect what it came to."""
    from tasks.formats.markdown import as_text

    told = page.headline
    link = _publish(run, page, summary, result)
    _track(run, link, points, {VERDICT: told.verdict})
    told_as_text = [as_text(told.verdict), as_text(told.lead)]
    show_in_prefect(run.flow.name, table.rows, link, run.report_dir / PAGE, told_as_text)


def _list(run: ActionRun, page: str, result: str) -> str:
    """Put the run at the head of the home's index and let `latest` be it; returns the address of its page."""
    from tasks.reporting.index import INDEX, LATEST, LIST, ReportedRun, list_text, render_index, with_run

    reports, folder = run.settings.reports, run.report_dir
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


def _track(run: ActionRun, link: str, points: Sequence[Point], tags: Mapping[str, str | None]) -> None:
    """The headline, and where the page is. It lies once in a home: only a server elsewhere gets one of its own.

    The page of a run that computed nothing names the pictures of the artifacts, which an earlier page has in it.
    """
    from tasks.reporting.pictures import with_references

    tracker, parent, page = run.tracker, run.flow.mlflow_run_id, run.report_dir / PAGE
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
        section = page_section(stage, shown.section, shown.problem, curves_of(shown.history))
        yield shown.record.key, labelled(section, outcome.label)


def _made(run: ActionRun, made: Mapping[str, ArtifactRef]) -> tuple[dict[str, str], dict[str, Path]]:
    """Where each lies: in the store, and on this machine."""
    return {name: ref.uri for name, ref in made.items()}, {name: run.path(ref) for name, ref in made.items()}


def _course(run: ActionRun, checkpoint: ArtifactRef) -> tuple[object, Mapping[str, list[tuple[int, float]]]]:
    """What a checkpoint's training was asked, and what it told by step. Raises ArtifactError where nothing says it."""
    record = run.record(checkpoint)
    if record is None:
        raise ArtifactError(
            f"{checkpoint.uri} has no record: expected a checkpoint that a stage of the flow made. Run the flow again."
        )
    return record.config, curves_of(read_history(run.store.folder(record.stage, record.key)))
