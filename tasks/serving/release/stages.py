"""Package the candidate, release it. (Domain imports are inside: a hit pays for none.)"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from infra.champions.promotions import CHAMPION, Champion, Promotion, Promotions
from infra.champions.registry import Model, Registry, registered_name
from infra.engine.action import ActionRun, action
from infra.engine.stage import Metrics, StageRun, stage
from infra.files import folder_digest
from infra.hub.connect import open_hub
from infra.hub.protocol import Hub, Revision
from infra.store.references import ArtifactRef
from tasks.formats.kinds import DatasetRef, OnnxModelRef, ReleaseRef, ReportRef
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.release_record import ReleaseRecord
from tasks.serving.release.config import ReleaseConfig
from tasks.serving.release.house import Candidate
from tasks.serving.release.section import PACKAGE_READS, package_section

PYFUNC = "tasks.serving.release.pyfunc"  # a file that MLflow, and not this process, is going to import


@stage(version=2, output=ReleaseRef, section=package_section, reads=PACKAGE_READS)
def package(run: StageRun, config: ReleaseConfig, model: OnnxModelRef) -> Metrics:
    """Lay the quantized model out as a user gets it."""
    from tasks.serving.release.package import package_model

    return package_model(run.path(model), run.output_dir)


@action(version=5)
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
    from tasks.serving.release.promotion import release_candidate

    evidence = {"package": package, "verdict": verdict, "evaluation": evaluation, "benchmark": benchmark,
                "parity": parity, "dataset": dataset}  # fmt: skip
    hub, registry = open_hub(run.settings), Registry(run.settings, run.tracker.experiment)
    house = _House(run, config, evidence, hub, Promotions(hub, config.name), registry)
    candidate = Candidate(config, package.digest, house, published, base_model)
    return release_candidate(candidate, house, house)


@dataclass(frozen=True)
class _House:
    """The ports of a release: the evidence, the model's repository on the Hub, its champions."""

    run: ActionRun
    config: ReleaseConfig
    evidence: Mapping[str, ArtifactRef]
    hub: Hub
    promotions: Promotions
    registry: Registry

    def path(self, name: str) -> Path:
        """See `Evidence`."""
        return self.run.path(self.evidence[name])

    def parity(self) -> Mapping[str, float]:
        """See `Evidence`."""
        record = self.run.record(self.evidence["parity"])
        return record.metrics if record else {}

    def extracts(self) -> list[Path]:
        """See `Evidence`."""
        record = self.run.record(self.evidence["dataset"])
        inputs = record.inputs.values() if record else ()
        return [self.run.path(ArtifactRef(uri=item.uri, digest=item.digest)) for item in inputs]

    def published(self, made_of: JsonValue) -> Revision | None:
        """See `Publisher`."""
        return self.hub.made_from("model", self.name, self.run.source(made_of, **self.evidence))

    def push(self, made_of: JsonValue, folder: Path, message: str) -> Revision:
        """See `Publisher`."""
        source = self.run.source(made_of, **self.evidence)
        return self.hub.push("model", self.name, folder, message, source=source, main=False)

    def resolve(self, revision: str) -> Path:
        """See `Publisher`."""
        return self.hub.resolve("model", self.name, revision)

    @property
    def name(self) -> str:
        """The repository of the model on the Hub."""
        return self.config.name

    @property
    def registered_name(self) -> str:
        """See `Champions`."""
        return registered_name(self.name)

    def current(self) -> str | None:
        """See `Champions`."""
        champion = self.promotions.champion()
        return champion.package if champion else None

    def taken_down(self, package: str) -> Promotion | None:
        """See `Champions`."""
        return self.promotions.taken_down(package)

    def promote(self, revision: str, package: str, verdict: str, reason: str, again: bool) -> bool:
        """See `Champions`."""
        champion = Champion(revision=revision, package=package)
        return self.promotions.promote(champion, verdict, reason, again, self._unrecorded())

    def register(self, folder: Path, aliases: tuple[str, ...], tags: Mapping[str, str]) -> str:
        """See `Champions`."""
        from tasks.evaluation.comparison import figures
        from tasks.formats.markdown import as_text
        from tasks.serving.release.package import RELEASED

        code = Path(__file__).with_name(PYFUNC.rpartition(".")[2] + ".py")
        description = f"{as_text(self.config.title)}. `{self.name}` on the Hub; its card (README.md there) has the whole."
        measured = figures(self.path("evaluation"), self.path("benchmark"))
        model = Model(folder, code, RELEASED, description, measured)
        run_tags = self.run.tracker.tags(self.run.flow.mlflow_run_id)
        return self.registry.register(self.registered_name, model, aliases, tags, run_tags)

    def follow(self) -> None:
        """See `Champions`."""
        if (champion := self.promotions.champion()) is not None:
            self.registry.point_alias(self.registered_name, CHAMPION, champion.tags)

    def _unrecorded(self) -> Champion | None:
        """The champion of a repository from before there was a history of promotions."""
        from tasks.serving.release.package import RELEASED

        revision = self.hub.main("model", self.name)
        if revision is None:
            return None
        snapshot = self.resolve(revision)
        files = [snapshot / file for file in RELEASED if (snapshot / file).is_file()]
        return Champion(revision=revision, package=folder_digest(snapshot, files))
