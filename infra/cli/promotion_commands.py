"""The commands `promotions` and `rollback` of `python -m infra.cli`: who is champion, and the way back."""

from pydantic import BaseModel, Field
from pydantic_settings import CliPositionalArg

from infra.champions.promotions import CHAMPION, SHOWN, Champion, Promotion, Promotions
from infra.champions.registry import Registry, registered_name
from infra.errors import TrackingError
from infra.hub.connect import open_hub
from infra.machine.terminal import Terminal, visible
from infra.settings import get_settings
from infra.tracking.tracker import Tracker

console = Terminal()
EXPERIMENT = "stillhouse/promotions"
LATER = "the next run of its flow sets that right"


class ShowPromotions(BaseModel):
    """List who was champion of a model, when and why that changed, oldest first; set right what a kill left undone."""

    repository: CliPositionalArg[str] = Field(description="the model on the Hub, owner/name")

    def cli_cmd(self) -> None:
        """A line a change. `main`, MLflow's alias and the bytes that it holds follow the last one."""
        promotions = _promotions(self.repository)
        for line in promotions.lines():
            console.print(shown(line))
        if (champion := promotions.champion()) is None:
            console.print(f"{self.repository} has had no champion in {promotions.address}.")
            return
        if promotions.hub.main("model", self.repository) != champion.revision:
            champion = promotions.settle() or champion
            console.print(f"`main` had not followed the last change: it is {short(champion.revision)} now.")
        console.print(_registered(promotions, champion))
        console.print(f"Champion: revision {champion.revision} in {promotions.address}")


class Rollback(BaseModel):
    """Make a model's previous champion `main` on the Hub and `champion` in MLflow's registry again."""

    repository: CliPositionalArg[str] = Field(description="the model on the Hub, owner/name")
    reason: str = Field("", description="why; kept in the history of promotions")

    def cli_cmd(self) -> None:
        """The journal, `main`, MLflow's alias, in this order: what is refused has changed nothing."""
        promotions = _promotions(self.repository)
        if (unfinished := _unfinished(promotions)) is not None:
            console.print(shown(unfinished))
            console.print(_aliased(promotions, unfinished.after))
            console.print(
                "That rollback had not reached MLflow: it has now. To go back further, run this again."
            )
            return
        planned = promotions.next_rollback(self.reason)
        promotions.roll_back(planned)
        console.print(shown(planned))
        _tell_mlflow(self.repository, planned)
        console.print(_aliased(promotions, planned.after))
        console.print(
            "What was taken down stays down, unless a flow is run with --release.promote-again true."
        )


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
