"""Deploy: judge the candidate, package it, release it. (Domain imports are inside: a hit pays for none.)"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import infra
from infra.artifact import ArtifactRef, DatasetRef, OnnxModelRef, PredictionsRef, ReleaseRef, ReportRef
from infra.fingerprint import canonical
from infra.hub import open_hub
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

PYFUNC = Path(infra.__path__[0]) / "release_pyfunc.py"


@stage(version=2, output=ReportRef)
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
    speed = verdict.latency_interval
    return {
        "passed": float(verdict.verdict == "pass"),
        "accuracy_difference": verdict.accuracy_difference,
        "interval_low": verdict.interval[0],
        "interval_high": verdict.interval[1],
        "mcnemar_p": verdict.mcnemar_p,
        "power": verdict.power,
        "failed_classes": float(len(verdict.failed_classes)),
        "latency_ratio_teacher": verdict.latency_ratio,
        **({"latency_ratio_low": speed[0], "latency_ratio_high": speed[1]} if speed else {}),
        "size_ratio_teacher": verdict.size_ratio,
    }


@stage(version=1, output=ReleaseRef)
def package(run: StageRun, config: ReleaseConfig, model: OnnxModelRef) -> Metrics:
    """Lay the quantized model out as a user gets it."""
    from tasks.deploy.package import package_model

    return package_model(run.path(model), run.output_dir)


@action(version=1)
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
    from tasks.deploy.package import read_package

    model, judged = read_package(run.path(package)), read_report(run.path(verdict), GateVerdict)
    passed = judged.verdict == "pass"
    aliases = ("challenger", "champion") if passed else ("challenger",)
    evidence = {"package": package, "verdict": verdict, "evaluation": evaluation, "benchmark": benchmark,
                "parity": parity, "dataset": dataset}  # fmt: skip
    hub = open_hub(run.settings.hub, run.settings.hub_folder)
    source = run.source([canonical(config), published.repo, published.revision, base_model], **evidence)
    pushed = hub.made_from("model", config.name, source) if passed else None
    with tempfile.TemporaryDirectory(prefix="stillhouse-release-") as scratch:
        if pushed is None:
            folder = _assemble(run, config, evidence, published, base_model, Path(scratch))
        if pushed is None and passed:
            message = f"Release of package {package.digest[:12]}"
            pushed = hub.push("model", config.name, folder, message, source=source)
        # What the registry knows of a version. `digest` is its identity: the same package keeps its version.
        tags = {"digest": package.digest, "model_sha256": model.sha256, "verdict": judged.verdict,
                "dataset_revision": published.revision, "hub_revision": pushed.revision if pushed else ""}  # fmt: skip
        version = run.tracker.register_model(
            config.registered_name,
            Path(pushed.path) if pushed else folder,
            PYFUNC,
            aliases,
            tags,
            run.flow.mlflow_run_id,
        )
    return ReleaseRecord(
        name=config.name,
        verdict=judged.verdict,
        revision=pushed.revision if pushed else None,
        path=pushed.path if pushed else None,
        registered_name=config.registered_name,
        registered_version=version,
        aliases=aliases if version else (),
        package_digest=package.digest,
        model_sha256=model.sha256,
    )


def _assemble(
    run: ActionRun,
    config: ReleaseConfig,
    evidence: Mapping[str, ArtifactRef],
    published: PublishedDataset,
    base_model: str,
    scratch: Path,
) -> Path:
    """The folder of the release: model, card and plots."""
    from tasks.deploy.card import CardFacts
    from tasks.deploy.package import read_package
    from tasks.deploy.release import assemble_release
    from tasks.labelled_text.dataset import load_info
    from tasks.results.plots import plot_tradeoff

    paths = {name: run.path(ref) for name, ref in evidence.items()}
    parity = run.record(evidence["parity"])
    facts = CardFacts(
        config=config,
        model=read_package(paths["package"]),
        verdict=read_report(paths["verdict"], GateVerdict),
        evaluation=read_report(paths["evaluation"], EvaluationReport),
        benchmark=read_report(paths["benchmark"], BenchmarkReport),
        parity=parity.metrics if parity else {},
        dataset=load_info(paths["dataset"]),
        published=published,
        attributions=_attributions(run, config, evidence["dataset"]),
        base_model=base_model,
        package_digest=evidence["package"].digest,
    )
    plot_tradeoff(facts.evaluation, facts.benchmark, scratch / "tradeoff.png")
    plots = (scratch / "tradeoff.png", *find_plots(paths["evaluation"], paths["benchmark"]))
    return assemble_release(paths["package"], facts, plots, scratch / "release")


def _attributions(run: ActionRun, config: ReleaseConfig, dataset: ArtifactRef) -> tuple[str, ...]:
    """What the config says of the sources, and what their licences want said: it travels with the rows."""
    from tasks.deploy.card import read_attributions

    record = run.record(dataset)
    inputs = record.inputs.values() if record else ()
    extracts = [run.path(ArtifactRef(uri=item.uri, digest=item.digest)) for item in inputs]
    own = [sentence for extract in extracts for sentence in read_attributions(extract)]
    return tuple(dict.fromkeys(sentence for sentence in (config.attribution, *own) if sentence))
