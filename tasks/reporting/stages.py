"""Report: one page, one table and one JSON of a run, shown at the terminal, in MLflow and in Prefect.

(Domain imports are inside: a dry run pays for none.)
"""

from collections.abc import Mapping

from pydantic import BaseModel

from infra.engine.action import ActionRun, action
from infra.files import write_atomically
from infra.machine.terminal import Terminal
from infra.store.record import hardware
from infra.store.references import ArtifactRef
from infra.tracking.headline import headline
from infra.tracking.showcase import show_in_prefect
from tasks.formats.curation_report import REPORT_FILE as CURATION_FILE
from tasks.formats.curation_report import read_curation
from tasks.formats.kinds import DatasetRef
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.published_model import PublishedModel
from tasks.formats.release_record import ReleaseRecord
from tasks.reporting.adapt_summary import read_adapted, summarise_adapted
from tasks.reporting.data_summary import DataRecord, summarise_data
from tasks.reporting.distill_summary import distilled, summarise_distilled
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.reporting.run_page import (
    PAGE,
    SUMMARY,
    VERDICT,
    Shown,
    bytes_of,
    course,
    list_run,
    made_here,
    places,
    publish,
    report_folder,
    tell_language_model,
    track,
    trained,
    with_run,
)
from tasks.reporting.summary import summarise

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
    summary = summarise(run.flow, record, reports, report_folder(run) / PAGE, hardware())
    page = Page(
        title=record.name,
        summary=summary,
        headline=run_headline(summary),
        before=(verdict_section(summary), comparison_section(summary.rows, summary.shares)),
    )
    result = f"{record.name}: {verdict_line(summary).rpartition(': ')[2].lower()}"
    link = publish(run, with_run(run, page, config, made), summary, result)
    tags = {VERDICT: summary.verdict, MODEL_VERSION: record.registered_version, REVISION: record.revision}
    track(run, link, headline([row.model_dump(include={"name", *HEADLINE}) for row in summary.rows]), tags)
    show_in_prefect(run.flow.name, [row.model_dump() for row in summary.rows], link, report_folder(run) / PAGE,
                    [as_text(reason) for reason in (summary.gate.reasons if summary.gate else ())])  # fmt: skip
    print_summary(summary, Terminal(soft_wrap=False), tuple(places(run).items()))
    return record.model_copy(update={"summary": str(report_folder(run) / SUMMARY)})


@action()
def report_data(
    run: ActionRun, published: PublishedDataset, rows: DatasetRef, dataset: DatasetRef
) -> DataRecord:
    """Write the JSON of a run that ends in a data set, print what each filter took, and say where the data set lies."""
    from tasks.reporting.data_table import print_data_summary

    curation = read_curation(run.part(dataset, CURATION_FILE))
    made = {
        rows.digest: (curation.rows_in, bytes_of(run, rows)),
        dataset.digest: (curation.rows_out, bytes_of(run, dataset)),
    }
    summary = summarise_data(run.flow, published, curation, made, hardware())
    path, parent = report_folder(run) / SUMMARY, run.flow.mlflow_run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, summary.model_dump_json(indent=2) + "\n")
    list_run(run, SUMMARY, f"{published.repo}: {summary.rows_out:,} rows")
    run.tracker.log_file(parent, path)
    run.tracker.log(parent, [("rows_in", summary.rows_in, 0), ("rows_out", summary.rows_out, 0)])
    print_data_summary(summary, Terminal(soft_wrap=False), tuple(places(run).items()))
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

    uris, folders = made_here(run, made)
    found = read_adapted(uris, folders, trained(run, made["checkpoint"]))
    summary = summarise_adapted(run.flow, found, published, report_folder(run) / PAGE, hardware())
    shown = Shown(adapt_headline(found), adapt_section(found, published), perplexities(found))
    measured = {"before": found.perplexity.before, "end": found.perplexity.end, **found.ngram.model_dump()}
    points = [(f"perplexity_{name}", value, 0) for name, value in measured.items()]
    ends = f"perplexity {found.perplexity.before:.1f} to {found.perplexity.end:.1f}"
    record = tell_language_model(run, config, made, summary, shown, points, ends)
    print_adapted(summary, Terminal(soft_wrap=False), tuple(places(run).items()))
    return record


@action()
def report_distilled(
    run: ActionRun, config: BaseModel, made: Mapping[str, ArtifactRef]
) -> LanguageModelRecord:
    """The same of a run that ends in a distilled language model; `made` has checkpoint, evaluation and bodies, and panel and
    probed where there were rows with labels.
    """
    from tasks.reporting.distill_page import distill_headline, distill_section, models_table
    from tasks.reporting.distill_table import print_distilled

    found = distilled(*made_here(run, made))
    summary = summarise_distilled(run.flow, found, report_folder(run) / PAGE, hardware())
    shown = Shown(distill_headline(found), distill_section(found), models_table(found))
    points = [(f"perplexity_{row.name.replace(' ', '_')}", row.perplexity, 0) for row in found.rows]
    record = tell_language_model(run, config, made, summary, shown, points)
    print_distilled(summary, Terminal(soft_wrap=False), tuple(places(run).items()))
    return record


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
    from tasks.reporting.pretrain_page import bits_table, pretrain_headline, pretrain_section
    from tasks.reporting.pretrain_summary import read_pretrained, summarise_pretrained
    from tasks.reporting.pretrain_table import print_pretrained

    uris, folders = made_here(run, made)
    found = read_pretrained(uris["checkpoint"], folders, course(run, made["checkpoint"])[1])
    summary = summarise_pretrained(
        run.flow, found, published, tokenizer, report_folder(run) / PAGE, hardware()
    )
    first = pretrain_section(found, published, tokenizer)
    shown = Shown(pretrain_headline(found), first, bits_table(found))
    points = [("bits_per_byte", value, 0) for value in (found.bits_per_byte.mean,) if value is not None]
    points += [("parsed", found.completions.parsed, 0), ("distinct", found.completions.distinct, 0)]
    record = tell_language_model(run, config, made, summary, shown, points)
    print_pretrained(summary, Terminal(soft_wrap=False), tuple(places(run).items()))
    return record
