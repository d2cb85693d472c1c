"""The commands `promotions` and `rollback` of `python -m infra.cli`: who is champion, and the way back."""

from pydantic import BaseModel, Field
from pydantic_settings import CliPositionalArg
from rich.console import Console

from infra.champions.promotions import CHAMPION, SHOWN, Promotion, Promotions, registered_name
from infra.hub.connect import open_hub
from infra.settings import get_settings
from infra.tracking.tracker import Tracker

console = Console(soft_wrap=True, highlight=False, markup=False)


class ShowPromotions(BaseModel):
    """List who was champion of a model, when and why that changed, oldest first."""

    repository: CliPositionalArg[str] = Field(description="the model on the Hub, owner/name")

    def cli_cmd(self) -> None:
        """A line a change."""
        promotions = _promotions(self.repository)
        for line in promotions.lines():
            console.print(shown(line))
        champion, main = promotions.champion(), promotions.hub.main("model", self.repository)
        if champion is None:
            console.print(f"{self.repository} has had no champion in {promotions.address}.")
        elif main != champion.revision:
            console.print(f"`main` is {short(main)} still: the next release or rollback moves it.")
        else:
            console.print(f"Champion: revision {champion.revision} in {promotions.address}")


class Rollback(BaseModel):
    """Make a model's previous champion `main` on the Hub and `champion` in MLflow's registry again."""

    repository: CliPositionalArg[str] = Field(description="the model on the Hub, owner/name")
    reason: str = Field("", description="why; kept in the history of promotions")

    def cli_cmd(self) -> None:
        """The registry first: what a kill leaves undone after that, the same command does when it is run again."""
        promotions = _promotions(self.repository)
        planned = promotions.next_rollback(self.reason)
        version = _tell_mlflow(self.repository, planned)
        promotions.roll_back(planned)
        name = registered_name(self.repository)
        console.print(shown(planned))
        console.print(
            f"MLflow: {name} version {version} is {CHAMPION}."
            if version
            else f"MLflow: no version of {name} could be made {CHAMPION}; the next run of its flow sets that right."
        )
        console.print(
            "What was taken down stays down, unless a flow is run with --release.promote-again true."
        )


def shown(line: Promotion) -> str:
    """A change of champion as a line."""
    change = (
        f"{short(line.before.revision if line.before else None):>{SHOWN}} -> {short(line.after.revision)}"
    )
    return f"{line.time}  {line.action:<8}  {change}  {line.verdict or ''}  {line.reason}".rstrip()


def short(revision: str | None) -> str:
    """The start of a revision, enough to find it by."""
    return revision[:SHOWN] if revision else "none"


def _promotions(repository: str) -> Promotions:
    settings = get_settings()
    return Promotions(open_hub(settings), repository)


def _tell_mlflow(repository: str, planned: Promotion) -> str | None:
    """Move the alias and leave a run that says so; the version that is champion now, None when none could be made it."""
    tracker = Tracker(get_settings(), "stillhouse/promotions")
    change = {
        "model": repository,
        "from": planned.before.revision if planned.before else "",
        "to": planned.after.revision,
        "reason": planned.reason,
    }
    tracker.end(tracker.start("rollback", tags=change))
    return tracker.point_alias(registered_name(repository), CHAMPION, planned.after.tags)
