"""`stillhouse models list | show | history | rollback`: what was released, who is champion, and the way back."""

from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from infra.champions.promotions import CHAMPION, SHOWN, Champion, Promotion, Promotions
from infra.champions.registry import Registry, registered_name
from infra.errors import HubError, TrackingError
from infra.hub.connect import open_hub
from infra.hub.protocol import Hub
from infra.machine.terminal import Terminal, one_line, visible
from infra.settings import get_settings
from infra.tracking.connection import registry_uri
from infra.tracking.tracker import Tracker

console = Terminal()
EXPERIMENT = "stillhouse/promotions"
LATER = "the next run of its flow sets that right"
CARD = "README.md"
Repository = Annotated[str, Parameter(help="the model on the Hub, owner/name")]

models = App(name="models", help="What was released: who is champion, since when, and the way back.")


@models.command(name="list")
def list_models() -> None:
    """List the models of this home: those that were published with their champion, those that the gate kept here."""
    from infra.tracking.client import registered_models

    settings = get_settings()
    hub, registered = open_hub(settings), registered_models(registry_uri(settings))
    found = sorted(hub.repositories("model"))
    for repository in found:
        name = registered_name(repository)
        versions = _versions(name, registered.pop(name, {}))
        console.print(one_line(f"{repository:<40} ", _served(hub, repository), versions))
    for name, aliases in sorted(registered.items()):
        console.print(one_line(f"{name:<40} ", ("not published", "yellow"), _versions(name, aliases)))
    if not found and not registered:
        console.print(f"No model was published in {hub.access().place}, and none is registered in MLflow.")


def _served(hub: Hub, repository: str) -> tuple[str, str]:
    """The champion; of a model that no gate decided about, as one adapted to a text, what `main` is; and a colour."""
    if lines := Promotions(hub, repository).lines():
        return f"champion {short(lines[-1].after.revision)} since {lines[-1].time}", "green"
    main = hub.main("model", repository)
    return f"no champion; main is {short(main)}" if main else "no champion", "yellow"


def _versions(name: str, aliases: Mapping[str, str]) -> str:
    """What MLflow's registry has of a model, in brackets."""
    told = ", ".join(f"{alias} {version}" for alias, version in aliases.items())
    return f"  (in MLflow {name}: {told})" if told else ""


@models.command
def show(repository: Repository, /) -> None:
    """Say what a model's champion is, where it lies, and what its card says of it."""
    promotions = _promotions(repository)
    champion = promotions.champion()
    revision = champion.revision if champion else promotions.hub.main("model", repository)
    if revision is None:
        raise HubError(
            f"{repository} was not published in {promotions.address}: expected owner/name of a model. "
            "`stillhouse models list` has those that were."
        )
    console.print(
        f"{'Champion' if champion else 'No champion; main is'}: revision {revision} in {promotions.address}"
    )
    folder = promotions.hub.resolve("model", repository, revision)
    console.print(f"Folder: {folder}")
    if (folder / CARD).is_file():
        console.print(visible((folder / CARD).read_text(encoding="utf-8", errors="replace"), lines=True))


@models.command
def history(repository: Repository, /) -> None:
    """List who was champion of a model, when and why that changed, oldest first; set right what a kill left undone."""
    promotions = _promotions(repository)
    for line in promotions.lines():
        console.print(shown(line))
    if (champion := promotions.champion()) is None:
        console.print(f"{repository} has had no champion in {promotions.address}.")
        return
    if promotions.hub.main("model", repository) != champion.revision:
        champion = promotions.settle() or champion
        console.print(f"`main` had not followed the last change: it is {short(champion.revision)} now.")
    console.print(_registered(promotions, champion))
    console.print(f"Champion: revision {champion.revision} in {promotions.address}")


@models.command
def rollback(
    repository: Repository, /, *, reason: Annotated[str, Parameter(help="why; kept in the history")] = ""
) -> None:
    """Make a model's previous champion `main` on the Hub and `champion` in MLflow's registry again."""
    # The journal, `main`, MLflow's alias, in this order: what is refused has changed nothing.
    promotions = _promotions(repository)
    if (unfinished := _unfinished(promotions)) is not None:
        console.print(shown(unfinished))
        console.print(_aliased(promotions, unfinished.after))
        console.print("That rollback had not reached MLflow: it has now. To go back further, run this again.")
        return
    planned = promotions.next_rollback(reason)
    promotions.roll_back(planned)
    console.print(shown(planned))
    _tell_mlflow(repository, planned)
    console.print(_aliased(promotions, planned.after))
    console.print("What was taken down stays down, unless a flow is run with --release.promote-again true.")


def shown(line: Promotion) -> str:
    """A change of champion as a line."""
    change = (
        f"{short(line.before.revision if line.before else None):>{SHOWN}} -> {short(line.after.revision)}"
    )
    return visible(f"{line.time}  {line.action:<8}  {change}  {line.verdict or ''}  {line.reason}".rstrip())


def short(revision: str | None) -> str:
    """The start of a revision, enough to find it by."""
    return revision[:SHOWN] if revision else "none"


def _promotions(repository: str) -> Promotions:
    settings = get_settings()
    return Promotions(open_hub(settings), repository)


def _registry() -> Registry:
    return Registry(get_settings(), EXPERIMENT)


def _unfinished(promotions: Promotions) -> Promotion | None:
    """The last rollback, where MLflow's alias is still at what it took down: a kill came in between, or MLflow was out."""
    lines = promotions.lines()
    if not lines or lines[-1].action != "rollback" or lines[-1].before is None:
        return None
    if promotions.hub.main("model", promotions.repo) != lines[-1].after.revision:
        return None  # `main` comes first, see `next_rollback`.
    try:
        holder = _registry().holder(registered_name(promotions.repo), CHAMPION)
    except TrackingError:
        return None  # Nobody can tell; what follows says that MLflow is out.
    taken_down = holder is not None and lines[-1].before.tags.items() <= dict(holder.tags).items()
    return lines[-1] if taken_down else None


def _aliased(promotions: Promotions, champion: Champion) -> str:
    """Let MLflow's alias follow; what is to be said of it."""
    name = registered_name(promotions.repo)
    try:
        version = _registry().point_alias(name, CHAMPION, champion.tags)
    except TrackingError as error:
        return f"{error}; {LATER}."
    if version is None:
        return f"MLflow: no version of {name} could be made {CHAMPION}; {LATER}."
    return f"MLflow: {name} version {version} is {CHAMPION}."


def _registered(promotions: Promotions, champion: Champion) -> str:
    """Let MLflow's alias follow and see to its bytes; what is to be said of it."""
    said = _aliased(promotions, champion)
    registry, name = _registry(), registered_name(promotions.repo)
    if not promotions.hub.is_whole("model", promotions.repo, champion.revision):
        return (
            f"{said}\nThe files of revision {short(champion.revision)} are damaged in {promotions.address}."
        )
    try:
        version = registry.holder(name, CHAMPION)
        if version is None or not champion.tags.items() <= dict(version.tags).items():
            return said
        folder = promotions.hub.resolve("model", promotions.repo, champion.revision)
        damage = registry.mend(name, version, folder)
        now = registry.holder(name, CHAMPION)
    except TrackingError as error:
        return f"{said}\n{error}; {LATER}."
    if damage is not None:
        return f"{said}\nMLflow: {damage}; {LATER}."
    if now is not None and now.version != version.version:
        return f"MLflow: version {version.version} of {name} was damaged; version {now.version} is {CHAMPION} now."
    return said


def _tell_mlflow(repository: str, planned: Promotion) -> None:
    """Leave a run that says what was rolled back."""
    tracker = Tracker(get_settings(), EXPERIMENT)
    change = {
        "model": repository,
        "from": planned.before.revision if planned.before else "",
        "to": planned.after.revision,
        "reason": planned.reason,
    }
    tracker.end(tracker.start("rollback", tags=change))
