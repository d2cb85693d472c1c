"""Deploy: judge the candidate, package it, release it. (Domain imports are inside: a hit pays for none.)"""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue

from infra.champions.promotions import CHAMPION, SHOWN, Champion, Promotion, Promotions
from infra.champions.registry import Model, Registry, registered_name
from infra.engine.action import ActionRun, action
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError, TrackingError
from infra.files import folder_digest
from infra.hub.connect import open_hub
from infra.hub.protocol import Hub, Revision
from infra.store.references import (
    ArtifactRef,
    DatasetRef,
    OnnxModelRef,
    PredictionsRef,
    ReleaseRef,
    ReportRef,
)
from tasks.deploy import section
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

logger = logging.getLogger(__name__)
PYFUNC = "tasks.serving.release.pyfunc"


@dataclass(frozen=True)
class Candidate:
    """What a release is made of: `evidence` holds package, verdict, evaluation, benchmark, parity and dataset."""

    config: ReleaseConfig
    evidence: Mapping[str, ArtifactRef]
    published: PublishedDataset
    base_model: str


@stage(version=2, output=ReportRef, section=section.gate_section, reads=section.GATE_READS)
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


@stage(version=1, output=ReleaseRef, section=section.package_section, reads=section.PACKAGE_READS)
def package(run: StageRun, config: ReleaseConfig, model: OnnxModelRef) -> Metrics:
    """Lay the quantized model out as a user gets it."""
    from tasks.deploy.package import package_model

    return package_model(run.path(model), run.output_dir)


@action(version=3)
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

    A candidate that did not pass is kept in the registry, where it can be compared, and goes nowhere else. One
    that a rollback took down stays down unless the config asks for it again. A gate promotes and never demotes:
    a champion that fails a later gate stays champion, and that is said.
    Idempotent: the same package, evidence and config give the same revision and the same registered version. What
    MLflow's registry could not be told is said in the record and done by the next run.
    """
    from tasks.deploy.package import read_package

    model, judged = read_package(run.path(package)), read_report(run.path(verdict), GateVerdict)
    evidence = {"package": package, "verdict": verdict, "evaluation": evaluation, "benchmark": benchmark,
                "parity": parity, "dataset": dataset}  # fmt: skip
    candidate = Candidate(config, evidence, published, base_model)
    hub = open_hub(run.settings)
    promotions = Promotions(hub, config.name)
    down = promotions.taken_down(package.digest)
    wanted = judged.verdict == "pass" and (down is None or config.promote_again)
    with tempfile.TemporaryDirectory(prefix="stillhouse-release-") as scratch:
        pushed = _publish(run, hub, candidate, Path(scratch)) if wanted else None
        if pushed is not None:
            champion, before = (
                Champion(revision=pushed.revision, package=package.digest),
                _unrecorded(hub, config.name),
            )
            again = config.promote_again
            if not promotions.promote(champion, judged.verdict, _why(judged, down), again, before):
                pushed = None  # It was rolled back while its card was written.
        # What the registry knows of a version. `digest` is its identity: the same package keeps its version.
        tags = {"digest": package.digest, "model_sha256": model.sha256, "verdict": judged.verdict,
                "dataset_revision": published.revision, **({"hub_revision": pushed.revision} if pushed else {})}  # fmt: skip
        aliases = ("challenger", CHAMPION) if pushed else ("challenger",)
        folder = (
            hub.resolve("model", config.name, pushed.revision)
            if pushed
            else _assemble(run, candidate, Path(scratch))
        )
        version, unregistered = _register(run, config.name, folder, aliases, tags, promotions)
    return ReleaseRecord(
        name=config.name,
        verdict=judged.verdict,
        revision=pushed.revision if pushed else None,
        path=pushed.path if pushed else None,
        registered_name=registered_name(config.name),
        registered_version=version,
        aliases=aliases if version else (),
        package_digest=package.digest,
        model_sha256=model.sha256,
        unregistered=unregistered,
        note=None if pushed else _note(promotions, config.name, package.digest, judged.verdict),
    )


def _register(
    run: ActionRun,
    name: str,
    folder: Path,
    aliases: tuple[str, ...],
    tags: Mapping[str, str],
    promotions: Promotions,
) -> tuple[str | None, str | None]:
    """The version in MLflow's registry, and why the registry does not know everything it should."""
    from tasks.deploy.package import FILES

    registry, version = Registry(run.settings, run.tracker.experiment), None
    try:
        model = Model(folder, _source(PYFUNC), tuple(FILES.values()))
        run_tags = run.tracker.tags(run.flow.mlflow_run_id)
        version = registry.register(registered_name(name), model, aliases, tags, run_tags)
        current = promotions.champion()
        if current is not None and current.package != tags["digest"]:
            # The alias follows the history, whoever moved it last: a rollback while the server was down, another run.
            registry.point_alias(registered_name(name), CHAMPION, current.tags)
    except TrackingError as error:
        missed = (
            f"{error}. The next run of this flow does it; start the server, or correct STILLHOUSE_MLFLOW_URI."
        )
        logger.warning("%s", missed)
        return version, missed
    return version, None


def _source(module: str) -> Path:
    """The file of a module that MLflow, and not this process, is going to import."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"{module} is not installed: expected it beside the stages. Install Stillhouse again, whole."
        )
    return Path(spec.origin)


def _publish(run: ActionRun, hub: Hub, candidate: Candidate, scratch: Path) -> Revision:
    """The candidate on the Hub, not yet as `main`; what is `main` already is not assembled again."""
    config, evidence = candidate.config, candidate.evidence
    asked = config.model_dump(mode="json", exclude={"promote_again"})
    made_of: JsonValue = [asked, candidate.published.repo, candidate.published.revision, candidate.base_model]
    source = run.source(made_of, **evidence)
    if (found := hub.made_from("model", config.name, source)) is not None:
        return found
    folder = _assemble(run, candidate, scratch)
    message = f"Release of package {evidence['package'].digest[:SHOWN]}"
    return hub.push("model", config.name, folder, message, source=source, main=False)


def _why(judged: GateVerdict, down: Promotion | None) -> str:
    """A promotion's reason, for the history."""
    again = f"asked for again after the rollback of {down.time}; " if down else ""
    return (
        f"{again}{judged.accuracy_difference * 100:+.2f} points of accuracy against the {judged.reference}, "
        f"{judged.latency_ratio:.1f}x faster, {judged.size_ratio:.1f}x smaller"
    )


def _note(promotions: Promotions, name: str, package: str, verdict: str) -> str | None:
    """What a person should know of a candidate that was not released, beyond the verdict."""
    down, champion = promotions.taken_down(package), promotions.champion()
    if verdict == "pass" and down is not None:
        why = f" ({down.reason})" if down.reason else ""
        return (
            f"Not released again: a rollback took this model down at {down.time}{why}. To make it champion again: "
            "--release.promote-again true"
        )
    if champion is not None and champion.package == package:
        return (
            "This model is the champion: it passed another gate, or other measurements, and stays. To take it down: "
            f"python -m infra.cli rollback {name}"
        )
    return None


def _unrecorded(hub: Hub, name: str) -> Champion | None:
    """The champion of a repository from before there was a history of promotions."""
    from tasks.deploy.package import FILES

    revision = hub.main("model", name)
    if revision is None:
        return None
    snapshot = hub.resolve("model", name, revision)
    files = [snapshot / file for file in FILES.values() if (snapshot / file).is_file()]
    return Champion(revision=revision, package=folder_digest(snapshot, files))


def _assemble(run: ActionRun, candidate: Candidate, scratch: Path) -> Path:
    """The folder of the release: model, card and plots."""
    from tasks.deploy.card import CardFacts
    from tasks.deploy.package import read_package
    from tasks.deploy.release import assemble_release
    from tasks.labelled_text.dataset import load_info
    from tasks.results.plots import plot_tradeoff

    config, evidence = candidate.config, candidate.evidence
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
        published=candidate.published,
        attributions=_attributions(run, config, evidence["dataset"]),
        base_model=candidate.base_model,
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
