"""Release a candidate: on *pass* it is published and made champion; registered it is in any case."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from infra.errors import TrackingError
from tasks.formats.gate_verdict import GateVerdict
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.report_file import read_report
from tasks.serving.release.house import Candidate, Champions, Publisher, Revision, Rollback
from tasks.serving.release.package import read_package

logger = logging.getLogger(__name__)
SHOWN = 12  # digits of a digest


def release_candidate(candidate: Candidate, publisher: Publisher, champions: Champions) -> ReleaseRecord:
    """Publish, promote and register a candidate as its verdict says. Raises HubError."""
    config, package, evidence = candidate.config, candidate.package, candidate.evidence
    model, judged = read_package(evidence.path("package")), read_report(evidence.path("verdict"), GateVerdict)
    down = champions.taken_down(package)
    wanted = judged.verdict == "pass" and (down is None or config.promote_again)
    with tempfile.TemporaryDirectory(prefix="stillhouse-release-") as scratch:
        pushed = _publish(candidate, publisher, Path(scratch)) if wanted else None
        if pushed is not None and not champions.promote(
            pushed.revision, package, judged.verdict, _why(judged, down), config.promote_again
        ):
            pushed = None  # It was rolled back while its card was written.
        # What the registry knows of a version. `digest` is its identity: the same package keeps its version.
        tags = {"digest": package, "model_sha256": model.sha256, "verdict": judged.verdict,
                "dataset_revision": candidate.published.revision}  # fmt: skip
        if pushed:
            tags |= {"hub_revision": pushed.revision, "release": f"{config.name}@{pushed.revision}"}
        aliases = ("challenger", "champion") if pushed else ("challenger",)
        folder = publisher.resolve(pushed.revision) if pushed else _assemble(candidate, Path(scratch))
        version, unregistered = _register(champions, folder, aliases, tags)
    return ReleaseRecord(
        name=config.name,
        verdict=judged.verdict,
        revision=pushed.revision if pushed else None,
        path=pushed.path if pushed else None,
        registered_name=champions.registered_name,
        registered_version=version,
        aliases=aliases if version else (),
        package_digest=package,
        model_sha256=model.sha256,
        unregistered=unregistered,
        note=None if pushed else _note(champions, config.name, package, judged.verdict),
    )


def _publish(candidate: Candidate, publisher: Publisher, scratch: Path) -> Revision:
    """The candidate on the Hub, not yet as `main`; what is `main` already is not assembled again."""
    asked = candidate.config.model_dump(mode="json", exclude={"promote_again"})
    published = candidate.published
    made_of: JsonValue = [asked, published.repo, published.revision, candidate.base_model]
    if (found := publisher.published(made_of)) is not None:
        return found
    message = f"Release of package {candidate.package[:SHOWN]}"
    return publisher.push(made_of, _assemble(candidate, scratch), message)


def _register(
    champions: Champions, folder: Path, aliases: tuple[str, ...], tags: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The version in MLflow's registry, and why the registry does not know everything it should."""
    version = None
    try:
        version = champions.register(folder, aliases, tags)
        if champions.current() != tags["digest"]:
            # The alias follows the history, whoever moved it last: a rollback while the server was down, another run.
            champions.follow()
    except TrackingError as error:
        missed = (
            f"{error}. The next run of this flow does it; start the server, or correct STILLHOUSE_MLFLOW_URI."
        )
        logger.warning("%s", missed)
        return version, missed
    return version, None


def _why(judged: GateVerdict, down: Rollback | None) -> str:
    """A promotion's reason, for the history."""
    again = f"asked for again after the rollback of {down.time}; " if down else ""
    return (
        f"{again}{judged.accuracy_difference * 100:+.2f} points of accuracy against the {judged.reference}, "
        f"{judged.latency_ratio:.1f}x faster, {judged.size_ratio:.1f}x smaller"
    )


def _note(champions: Champions, name: str, package: str, verdict: str) -> str | None:
    """What a person should know of a candidate that was not released, beyond the verdict."""
    down = champions.taken_down(package)
    if verdict == "pass" and down is not None:
        why = f" ({down.reason})" if down.reason else ""
        return (
            f"Not released again: a rollback took this model down at {down.time}{why}. To make it champion again: "
            "--release.promote-again true"
        )
    if champions.current() == package:
        return (
            "This model is the champion: it passed another gate, or other measurements, and stays. To take it down: "
            f"stillhouse models rollback {name}"
        )
    return None


def _assemble(candidate: Candidate, scratch: Path) -> Path:
    """The folder of the release. (matplotlib and the Hub's card are for who assembles one.)"""
    from tasks.serving.release.release import assemble

    return assemble(candidate, scratch)
