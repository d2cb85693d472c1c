"""Deploy: judge the candidate, package it, release it. (Domain imports are inside: a hit pays for none.)"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import infra
from infra.artifact import ArtifactRef, DatasetRef, OnnxModelRef, PredictionsRef, ReleaseRef, ReportRef
from infra.hub import Revision, open_hub
from infra.stage import ActionRun, Metrics, StageRun, action, stage
from tasks.deploy.config import GateConfig, ReleaseConfig
from tasks.results.pictures import find_plots
from tasks.results.values import (
    BenchmarkReport,
    EvaluationReport,
    GateVerdict,
    PublishedDataset,
    ReleaseRecord,
    read_report,
    write_report,
)

if TYPE_CHECKING:
    from tasks.deploy.card import CardFacts

PYFUNC = Path(infra.__path__[0]) / "release_pyfunc.py"


@stage(version=1, output=ReportRef)
def gate(
    run: StageRun,
    config: GateConfig,
    dataset: DatasetRef,
    evaluation: ReportRef,
    benchmark: ReportRef,
    teacher: PredictionsRef,
    released: PredictionsRef,
) -> Metrics:
    """Judge the released model against its teacher on the same test rows; `report.json` is a GateVerdict."""
    from tasks.deploy.gate import decide
    from tasks.labelled_text.dataset import load_split

    verdict = decide(
        config,
        read_report(run.path(evaluation), EvaluationReport),
        read_report(run.path(benchmark), BenchmarkReport),
        run.path(teacher),
        run.path(released),
        load_split(run.path(dataset), "test").labels,
    )
    write_report(run.output_dir, verdict)
    return {
        "passed": float(verdict.verdict == "pass"),
        "accuracy_difference": verdict.accuracy_difference,
        "interval_low": verdict.interval[0],
        "interval_high": verdict.interval[1],
        "mcnemar_p": verdict.mcnemar_p,
        "latency_ratio_teacher": verdict.latency_ratio,
        "size_ratio_teacher": verdict.size_ratio,
    }


@stage(version=1, output=ReleaseRef)
def package(run: StageRun, config: ReleaseConfig, model: OnnxModelRef) -> Metrics:
    """Lay the quantized model out as a user gets it."""
    from tasks.deploy.package import package_model

    return package_model(run.path(model), run.output_dir)


@action()
def release(
    run: ActionRun,
    config: ReleaseConfig,
    package: ReleaseRef,
    verdict: ReportRef,
    evaluation: ReportRef,
    benchmark: ReportRef,
    parity: ReportRef,
    dataset: DatasetRef,
    published: PublishedDataset,
    base_model: str,
) -> ReleaseRecord:
    """Register the candidate as challenger; on *pass* push it to the Hub and make it champion.

    A candidate that did not pass is kept in the registry, where it can be compared, and goes nowhere else.
    Idempotent: the same package, evidence and config give the same revision and the same registered version.
    """
    from tasks.deploy.card import CardFacts
    from tasks.deploy.package import read_package
    from tasks.deploy.release import assemble_release
    from tasks.labelled_text.dataset import load_info
    from tasks.results.plots import plot_tradeoff

    facts = CardFacts(
        config=config,
        model=read_package(run.path(package)),
        verdict=read_report(run.path(verdict), GateVerdict),
        evaluation=read_report(run.path(evaluation), EvaluationReport),
        benchmark=read_report(run.path(benchmark), BenchmarkReport),
        parity=_metrics(run, parity),
        dataset=load_info(run.path(dataset)),
        published=published,
        attributions=_attributions(run, config, dataset),
        base_model=base_model,
        package_digest=package.digest,
    )
    passed = facts.verdict.verdict == "pass"
    aliases = ("challenger", "champion") if passed else ("challenger",)
    with tempfile.TemporaryDirectory(prefix="stillhouse-release-") as scratch:
        plot_tradeoff(facts.evaluation, facts.benchmark, Path(scratch) / "tradeoff.png")
        plots = (Path(scratch) / "tradeoff.png", *find_plots(run.path(evaluation), run.path(benchmark)))
        folder = assemble_release(run.path(package), facts, plots, Path(scratch) / "release")
        pushed = _push(run, facts, folder) if passed else None
        version = run.tracker.register_model(
            config.registered_name, folder, PYFUNC, aliases, _tags(facts, pushed), run.flow.mlflow_run_id
        )
    return ReleaseRecord(
        name=config.name,
        verdict=facts.verdict.verdict,
        revision=pushed.revision if pushed else None,
        path=pushed.path if pushed else None,
        registered_name=config.registered_name,
        registered_version=version,
        aliases=aliases if version else (),
        package_digest=package.digest,
        model_sha256=facts.model.sha256,
    )


def _push(run: ActionRun, facts: "CardFacts", folder: Path) -> Revision:
    message = f"Release of package {facts.package_digest[:12]}"
    return open_hub(run.settings.hub, run.settings.hub_folder).push(
        "model", facts.config.name, folder, message
    )


def _tags(facts: "CardFacts", pushed: Revision | None) -> Mapping[str, str]:
    """What the registry knows of a version. `digest` is its identity: the same package keeps its version."""
    return {
        "digest": facts.package_digest,
        "model_sha256": facts.model.sha256,
        "verdict": facts.verdict.verdict,
        "dataset_revision": facts.published.revision,
        "hub_revision": pushed.revision if pushed else "",
    }


def _attributions(run: ActionRun, config: ReleaseConfig, dataset: DatasetRef) -> tuple[str, ...]:
    """What the config says of the sources, and what their licences want said: it travels with the rows."""
    from tasks.deploy.card import read_attributions

    record = run.record(dataset)
    inputs = record.inputs.values() if record else ()
    extracts = [run.path(ArtifactRef(uri=item.uri, digest=item.digest)) for item in inputs]
    own = [sentence for extract in extracts for sentence in read_attributions(extract)]
    return tuple(dict.fromkeys(sentence for sentence in (config.attribution, *own) if sentence))


def _metrics(run: ActionRun, ref: ReportRef) -> Mapping[str, float]:
    record = run.record(ref)
    return record.metrics if record else {}
